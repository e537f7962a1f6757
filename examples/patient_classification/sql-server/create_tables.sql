-- The two tables of pipeline-sql-server.ts, for SQL Server 2017 and later, and six made-up encounters to begin with.
CREATE TABLE dbo.encounters (
  encounter_id   VARCHAR(20)   NOT NULL CONSTRAINT PK_encounters PRIMARY KEY,
  department     NVARCHAR(50)  NOT NULL,
  clinical_notes NVARCHAR(MAX) NULL -- NULL where nobody has written one yet
);

-- What the pipeline fills. The model is told what these columns can hold, and asked again for what would not fit.
CREATE TABLE dbo.enriched_encounters (
  encounter_id     VARCHAR(20)   NOT NULL CONSTRAINT PK_enriched_encounters PRIMARY KEY,
  visit_category   NVARCHAR(100) NOT NULL,
  confidence       DECIMAL(3,2)  NOT NULL,
  clinical_summary NVARCHAR(500) NOT NULL,
  processed_at     DATETIME2(3)  NOT NULL -- UTC
);
CREATE INDEX IX_enriched_encounters_processed_at ON dbo.enriched_encounters (processed_at);

INSERT INTO dbo.encounters (encounter_id, department, clinical_notes) VALUES
  ('visit_01', N'Emergency Department', N'Brought in by ambulance after a fall from a ladder. Severe pain in the left hip, unable to bear weight. Triage level 2.'),
  ('visit_02', N'Family Medicine', N'Annual physical examination. Feels well, no complaints. Influenza immunization given, screening colonoscopy discussed.'),
  ('visit_03', N'Endocrinology', N'Planned review of type 2 diabetes. HbA1c 7.1 %, down from 7.9 %. Metformin continued, foot examination without findings.'),
  ('visit_04', N'Psychiatry', N'Low mood and poor sleep for two months. Started on sertraline, safety plan agreed, therapy session next week.'),
  ('visit_05', N'Surgery', N'Ten days after laparoscopic cholecystectomy. Incisions dry, sutures removed, may return to light activity.'),
  ('visit_06', N'Family Medicine', NULL); -- fails with EMPTY_INPUT, and costs nothing
