-- What the model needs of each encounter, and no more: no name, no address.
SELECT
  encounter_id,
  department,
  clinical_notes
FROM dbo.encounters
ORDER BY encounter_id
