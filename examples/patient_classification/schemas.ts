import type { Category } from "llm-etl";
import { z } from "zod";

/** A row of `sql/get_encounters.sql`. A row that does not fit goes to the dead letter file, with the reason. */
export const Encounter = z.object({
  encounter_id: z.string(),
  department: z.string(),
  clinical_notes: z.string().nullable(),
  age: z.int().min(0).max(130),
  known_conditions: z.string().nullable(),
});

/** What a visit can be. The definitions go into the prompt as they stand: the better they are, the better the answers. */
export const visitTaxonomy = [
  {
    name: "Emergency",
    definition:
      "Unplanned arrival with acute, severe symptoms, or with trauma after a fall, crash or collision: chest or " +
      "abdominal pain, bleeding, stroke, difficulty in breathing; often by ambulance and through triage",
    examples: ["Brought in by ambulance with crushing chest pain"],
  },
  {
    name: "Routine Checkup",
    definition:
      "Scheduled preventive visit of a person who feels well and has no complaints: annual physical examination, " +
      "screening, immunizations, lifestyle advice",
    examples: ["Yearly physical, no complaints, flu shot given"],
  },
  {
    name: "Chronic Disease Management",
    definition:
      "Planned review of a known long-term condition such as diabetes, hypertension, asthma, COPD or kidney disease: " +
      "control since the last visit, laboratory trends, medication adjustment",
  },
  {
    name: "Specialist Referral",
    definition:
      "Consultation asked for by another clinician: specialist opinion on a question, further imaging or tests, " +
      "letter to the referring clinician",
  },
  {
    name: "Mental Health",
    definition:
      "Visit about mood, anxiety, sleep, stress or substance use: depression, panic, therapy session, counseling, " +
      "safety plan, psychiatric medication",
  },
  {
    name: "Post-Operative Follow-up",
    definition:
      "Visit after surgery or another operation: wound and incision healing, removal of sutures, staples or a drain, " +
      "pain control, return to activity",
  },
] as const satisfies readonly Category[];
