-- What the model needs of each encounter, and no more: no name, no address. Read page by page, in the order of encounter_id.
SELECT
  encounter_id,
  clinical_notes,
  department
FROM encounters
