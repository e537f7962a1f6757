-- The two tables of pipeline-postgresql.ts, for PostgreSQL 14 and later, and six made-up encounters to begin with.
CREATE TABLE encounters (
  encounter_id   varchar(20) PRIMARY KEY,
  department     text NOT NULL,
  clinical_notes text -- NULL where nobody has written one yet
);

-- The categories of schemas.ts: one that is not here is found before the first row.
CREATE TYPE visit_category AS ENUM (
  'Emergency', 'Routine Checkup', 'Chronic Disease Management', 'Specialist Referral', 'Mental Health', 'Post-Operative Follow-up'
);

-- What the pipeline fills. The model is told what these columns can hold, and asked again for what would not fit.
CREATE TABLE enriched_encounters (
  encounter_id     varchar(20) PRIMARY KEY,
  visit_category   visit_category NOT NULL,
  confidence       numeric(3,2) NOT NULL,
  clinical_summary varchar(500) NOT NULL,
  processed_at     timestamptz NOT NULL
);
CREATE INDEX ON enriched_encounters (processed_at);

INSERT INTO encounters (encounter_id, department, clinical_notes) VALUES
  ('visit_01', 'Emergency Department', 'Brought in by ambulance after a fall from a ladder. Severe pain in the left hip, unable to bear weight. Triage level 2.'),
  ('visit_02', 'Family Medicine', 'Annual physical examination. Feels well, no complaints. Influenza immunization given, screening colonoscopy discussed.'),
  ('visit_03', 'Endocrinology', 'Planned review of type 2 diabetes. HbA1c 7.1 %, down from 7.9 %. Metformin continued, foot examination without findings.'),
  ('visit_04', 'Psychiatry', 'Low mood and poor sleep for two months. Started on sertraline, safety plan agreed, therapy session next week.'),
  ('visit_05', 'Surgery', 'Ten days after laparoscopic cholecystectomy. Incisions dry, sutures removed, may return to light activity.'),
  ('visit_06', 'Family Medicine', NULL); -- fails with EMPTY_INPUT, and costs nothing
