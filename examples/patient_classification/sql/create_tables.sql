PRAGMA foreign_keys = ON;

CREATE TABLE patients (
  patient_id       TEXT PRIMARY KEY,
  full_name        TEXT NOT NULL,
  sex              TEXT NOT NULL,
  birth_date       TEXT NOT NULL, -- ISO 8601
  known_conditions TEXT
);

CREATE TABLE encounters (
  encounter_id   TEXT PRIMARY KEY,
  patient_id     TEXT NOT NULL REFERENCES patients (patient_id),
  encounter_date TEXT NOT NULL, -- ISO 8601
  department     TEXT NOT NULL,
  clinical_notes TEXT           -- NULL where nobody has written one yet
);

-- What the pipeline fills: one row for each encounter that went well.
CREATE TABLE enriched_encounters (
  encounter_id     TEXT PRIMARY KEY REFERENCES encounters (encounter_id),
  visit_category   TEXT NOT NULL,
  confidence       REAL NOT NULL,
  clinical_summary TEXT NOT NULL,
  processed_at     TEXT NOT NULL, -- ISO 8601
  model            TEXT NOT NULL
);
