-- For PostgreSQL 14 and later: the two tables, and made-up encounters to begin with.
CREATE TABLE encounters (
  encounter_id   varchar(20) PRIMARY KEY,
  department     text NOT NULL,
  clinical_notes text -- NULL where nobody has written one yet
);

-- What the pipeline fills. The model is told what these columns can hold, and asked again for what would not fit.
CREATE TABLE enriched_encounters (
  encounter_id     varchar(20) PRIMARY KEY,
  visit_category   varchar(100) NOT NULL,
  confidence       numeric(3,2) NOT NULL,
  clinical_summary varchar(300) NOT NULL,
  processed_at     timestamptz NOT NULL
);

INSERT INTO encounters (encounter_id, department, clinical_notes) VALUES
  ('enc_001', 'Emergency Department', 'Brought in by ambulance with acute pain in the left hip: a fall from a ladder, unable to bear weight. Injury of the femoral neck on the first image; orthopedics called.'),
  ('enc_002', 'Family Medicine', 'Yearly preventive visit, no complaints. Blood pressure 118/76. Influenza vaccination given, screening for colon cancer explained.'),
  ('enc_003', 'Endocrinology', 'Planned review of type 2 diabetes. HbA1c 7.1 %, down from 7.9 %. Medication unchanged, feet without findings.'),
  ('enc_004', 'Psychiatry', 'Low mood and poor sleep for two months. No thoughts of self-harm. Sertraline started, therapy session agreed for next week.'),
  ('enc_005', 'Surgery', 'Ten days after an operation on the gallbladder. Wound dry and closed, sutures removed. May return to light activity.'),
  ('enc_006', 'Emergency Department', 'Unplanned arrival at night with acute chest pain and cold sweat. ECG shows ST elevation. Aspirin given, cardiac team called at once.'),
  ('enc_007', 'Pulmonology', 'Review of long-term asthma. Two night attacks in the last month, inhaler technique poor. Medication stepped up, control visit in six weeks.'),
  ('enc_008', 'Pediatrics', 'Planned checkup of a four-year-old without complaints. Growth along the 60th percentile. Second measles vaccination given.'),
  ('enc_009', 'Surgery', 'First visit after the hernia operation. Slight redness at the edge of the wound, no fever. Pain well controlled with ibuprofen.'),
  ('enc_010', 'Psychiatry', 'Panic attacks on the underground, three this month. Anxiety scale 17 of 21. Counselling continued, breathing exercises practised.'),
  ('enc_011', 'Emergency Department', 'Cut across the palm from broken glass, unplanned arrival. Symptoms of numbness in the ring finger. Injury explored and closed, tetanus shot given.'),
  ('enc_012', 'Cardiology', 'Review of high blood pressure. Home values around 146/92 in spite of two tablets. Amlodipine added, laboratory values in order.'),
  ('enc_013', 'Gynecology', 'Preventive visit, no complaints. Cervical screening taken, breast examination normal. Advice on contraception given.'),
  ('enc_014', 'Orthopedics', 'Six weeks after the knee operation. Healing well, bends to 110 degrees. Return to swimming allowed, running not yet.'),
  ('enc_015', 'Nephrology', 'Long-term kidney condition, stage 3a. Creatinine stable over a year. Medication checked for dose, next laboratory values in three months.'),
  ('enc_016', 'Emergency Department', 'Child with fever of 40.1 and a first seizure, brought by a neighbour. Acute arrival, seizure over after three minutes. Cannot wait: seen at once, observed overnight.'),
  ('enc_017', 'Psychiatry', 'Stress at work since a change of shift. Sleep of four hours, irritable. Counselling offered, note for two weeks off work.'),
  ('enc_018', 'Family Medicine', 'New at the practice, planned preventive checkup of a healthy adult. No complaints, does not smoke. Cholesterol screening ordered, advice on exercise.'),
  ('enc_019', 'Pulmonology', 'Planned review of COPD, a long-term condition. Walks two floors without a stop. Inhaler medication continued, pneumococcal status up to date.'),
  ('enc_020', 'Surgery', 'Two weeks after the thyroid operation. Voice normal, wound healing without swelling. Sutures out, scar care explained.'),
  ('enc_021', 'Emergency Department', 'Sudden acute weakness of the right arm and slurred speech, forty minutes ago. Unplanned arrival with symptoms of stroke. Scan without bleeding, thrombolysis begun.'),
  ('enc_022', 'Family Medicine', 'Visit of a traveller without complaints. Vaccination against hepatitis A and typhoid given. Advice on malaria and on drinking water.'),
  ('enc_023', 'Endocrinology', 'Review of an underactive thyroid. TSH 2.4 under the present dose. Medication continued, control of laboratory values in a year.'),
  ('enc_024', 'Psychiatry', 'Third therapy session for low mood. Sleep better, back at the choir. Psychiatric medication unchanged, next session in two weeks.');
