-- One row for each encounter, with what of the patient helps to understand the note.
-- The name stays in the database: the model has no need of it.
SELECT
  encounters.encounter_id,
  encounters.department,
  encounters.clinical_notes,
  -- whole years: as dates without their hyphens, 20250202 - 19520618 = 729584
  (replace(encounters.encounter_date, '-', '') - replace(patients.birth_date, '-', '')) / 10000 AS age,
  patients.known_conditions
FROM encounters
JOIN patients ON patients.patient_id = encounters.patient_id
ORDER BY encounters.encounter_id
