import type { Random } from "./random.ts";

/** The true kinds of visit, under the names that the taxonomy has for them. */
export const visitKinds = [
  "Emergency",
  "Routine Checkup",
  "Chronic Disease Management",
  "Specialist Referral",
  "Mental Health",
  "Post-Operative Follow-up",
] as const;

export type VisitKind = (typeof visitKinds)[number];

/** What is wrong, and what was found and given for it. */
interface Case {
  readonly department: string;
  readonly reason: string;
  readonly findings: readonly string[];
  readonly medication: string;
}

/** What the notes of one kind of visit are composed of: all are templates for `Random.fill`. */
interface NoteParts {
  readonly cases: readonly Case[];
  readonly histories: readonly string[];
  readonly vitals: string;
  readonly plans: readonly string[];
}

export interface NoteSubject {
  readonly kind: VisitKind;
  readonly sex: "F" | "M";
  readonly age: number;
}

/** A note of 150 to 2,000 characters, as running text or under headings, and the department that wrote it. */
export function composeNote(random: Random, { kind, sex, age }: NoteSubject): { department: string; note: string } {
  const { cases, histories, vitals, plans } = noteParts[kind];
  const { department, reason, findings, medication } = random.pick(cases);
  const person = `${age}-year-old {${sex === "F" ? "woman|female patient" : "man|male patient"}}`;
  const slots = {
    Person: `{${capitalized(article(age))} |}${person}`,
    person: `${article(age)} ${person}`,
    clinician: "Dr {Okonjo|Lindqvist|Barreto|Haverkamp|Sato|Mbeya}",
    medication,
  };
  const write = (...templates: string[]): string =>
    templates.map((template) => capitalized(random.fill(template, slots))).join(" ");
  const sections = [
    write(reason),
    write(...random.sample(histories, random.between(0, histories.length))),
    write(vitals, ...random.sample(findings, random.between(1, findings.length))),
    write(...random.sample(plans, random.between(1, plans.length))),
  ] as const;
  const [opening, history, examination, plan] = sections;
  if (history === "" || random.below(3) > 0) return { department, note: sections.filter(Boolean).join(" ") };
  const note = `${opening}\nHistory: ${history}\nExamination: ${examination}\nPlan: ${plan}`;
  return { department, note };
}

/** "an 84-year-old" */
function article(age: number): string {
  return age === 11 || age === 18 || String(age).startsWith("8") ? "an" : "a";
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

const emergency: NoteParts = {
  cases: [
    {
      department: "Emergency Department",
      reason:
        "{Person} brought in by ambulance with severe {crushing|pressing|burning} chest pain that began {20-90} minutes before arrival.",
      findings: [
        "Pale and sweating, triaged as category {1|2}.",
        "ECG with ST elevation in the {inferior|anterior|lateral} leads, first troponin {40-900} ng/L.",
        "No murmur, no signs of heart failure.",
      ],
      medication: "aspirin {75|100} mg daily",
    },
    {
      department: "Emergency Department",
      reason:
        "{Person} with acute difficulty in breathing and a severe wheeze, after {two|three} rounds of the rescue inhaler at home.",
      findings: [
        "Speaks in single words, wheeze on both sides.",
        "Chest film without pneumothorax, blood gas with pH 7.{28-39}.",
        "Breathing easier after the {second|third} nebulizer.",
      ],
      medication: "salbutamol inhaler as needed",
    },
    {
      department: "Trauma Bay",
      reason:
        "{Person} after a {fall from a ladder|bicycle crash|collision at 50 km/h}, with severe trauma to the {left|right} {shoulder|hip|lower leg} and bleeding from the scalp.",
      findings: [
        "Laceration of {3-9} cm, bleeding stopped with direct pressure.",
        "No further injury on the secondary survey.",
        "Films show a {displaced|simple} fracture; pulses and sensation are intact.",
      ],
      medication: "apixaban 5 mg twice daily",
    },
    {
      department: "Emergency Department",
      reason:
        "Sudden facial droop and weakness of the {left|right} arm in {person}, last seen well {40-150} minutes before arrival, possible stroke.",
      findings: [
        "NIHSS {4-17}, speech slurred, gaze to the {left|right}.",
        "CT of the head without bleeding, read within {10-25} minutes.",
        "Glucose {5-8}.{0-9} mmol/L.",
      ],
      medication: "amlodipine {5|10} mg daily",
    },
    {
      department: "Emergency Department",
      reason:
        "{Person} with acute abdominal pain and vomiting since {2|3|4} this morning, unable to stand upright at triage.",
      findings: [
        "Severe tenderness with guarding on the {right|left} side.",
        "White cells {12-21}, lactate {1-4}.{0-9} mmol/L.",
        "Ultrasound with free fluid {in the pelvis|beside the liver}.",
      ],
      medication: "pantoprazole {20|40} mg daily",
    },
  ],
  histories: [
    "Came on suddenly, without warning, and has not eased since.",
    "No similar episode before, no recent travel, no known drug allergy.",
    "Takes {medication} at home, last dose this morning.",
    "The crew gave {oxygen at 4 litres a minute|fentanyl 50 micrograms|500 ml of fluid} on the way.",
    "A relative reports a brief collapse before the call.",
  ],
  vitals:
    "BP {84-178}/{52-104}, heart rate {98-138}, respirations {22-34}, SpO2 {86-94} % on room air, temperature {36-38}.{0-9} °C.",
  plans: [
    "Moved to resuscitation, two large cannulas placed.",
    "The {surgical|medical|critical care} team on call was called at once and accepted the patient.",
    "Morphine {2|4|5} mg given intravenously, repeated once.",
    "Admitted to {intensive care|the high dependency unit|the acute ward}.",
    "Monitored for {4-12} hours with repeated blood tests.",
    "Family informed by {clinician}.",
  ],
};

const routineCheckup: NoteParts = {
  cases: [
    {
      department: "Primary Care",
      reason: "{Person} here for the annual physical examination, feels well and brings no complaints.",
      findings: [
        "Heart, lungs, abdomen, skin and reflexes normal.",
        "Hearing normal to whisper, vision {20/20|20/25}.",
      ],
      medication: "vitamin D {800|1000} units daily",
    },
    {
      department: "Family Medicine",
      reason: "Preventive visit of {person} for screening and immunizations.",
      findings: [
        "Immunizations complete but for {tetanus|influenza|shingles}.",
        "Bloods of last week all normal, LDL {2-3}.{0-9} mmol/L.",
      ],
      medication: "cetirizine 10 mg in spring",
    },
    {
      department: "Occupational Health",
      reason: "{Person} attends the yearly checkup offered by the {insurer|practice|club}, without complaints.",
      findings: ["Exercise test normal up to {125-200} watts.", "Skin without a lesion that needs a second look."],
      medication: "no regular medicines",
    },
    {
      department: "Primary Care",
      reason:
        "Scheduled wellness visit of {person}, who wants advice on {diet|exercise|diet and exercise|sleep and diet}.",
      findings: ["Weight {52-94} kg, within 1 kg of last year.", "Physical examination normal throughout."],
      medication: "a multivitamin",
    },
  ],
  histories: [
    "Sleeps {6-8} hours, walks {20-60} minutes a day, does not smoke.",
    "Drinks {2-6} units of alcohol a week and eats little fruit.",
    "No hospital stay and no new illness since last year.",
    "Family history gone through: {a parent with high cholesterol|nothing of note|a grandparent with bowel cancer}.",
    "Takes {medication}.",
  ],
  vitals: "BP {106-128}/{64-80}, heart rate {58-76}, BMI {20-27}.{0-9}, SpO2 {97-99} %, temperature 36.{4-9} °C.",
  plans: [
    "Immunizations given today: {influenza|tetanus booster|shingles, first dose}.",
    "Screening ordered: {colonoscopy|lipids and glucose|bone density}.",
    "Lifestyle advice: more vegetables, {150-200} minutes of brisk exercise a week.",
    "Preventive dental visit recommended.",
    "Next annual checkup in {12|24} months.",
    "Sunscreen and a yearly look at the moles advised.",
  ],
};

const chronicDisease: NoteParts = {
  cases: [
    {
      department: "Diabetes Clinic",
      reason: "Planned review of type 2 diabetes in {person}, known since {2006-2019}.",
      findings: [
        "Laboratory: HbA1c {6-8}.{0-9} %, last time {7-9}.{0-9} %.",
        "Feet with good pulses, monofilament felt at {6-10} of 10 sites.",
        "Eye photographs without change.",
      ],
      medication: "metformin {500|850|1000} mg twice daily",
    },
    {
      department: "Internal Medicine",
      reason: "{Person} with long-standing hypertension, here to go through home readings and medication.",
      findings: [
        "Mean of {20-60} home readings {128-148}/{76-90}.",
        "Potassium 4.{0-9} mmol/L, laboratory trends flat.",
        "No edema, fundi unremarkable.",
      ],
      medication: "lisinopril {5|10|20} mg daily",
    },
    {
      department: "Pulmonology",
      reason: "{Person} with {asthma|COPD} for many years, planned review of control and inhaler technique.",
      findings: ["FEV1 {54-84} % of predicted, little change over the year.", "Inhaler technique {good|corrected}."],
      medication: "budesonide with formoterol, {1|2} puffs twice daily",
    },
    {
      department: "Nephrology",
      reason: "Review of stage {2|3} kidney disease in {person}.",
      findings: [
        "Laboratory: eGFR {38-74}, stable since the last visit.",
        "Urine albumin to creatinine ratio {2-28} mg/mmol.",
        "No edema, lungs clear.",
      ],
      medication: "empagliflozin 10 mg daily",
    },
  ],
  histories: [
    "No admission since the last visit, one mild flare-up that settled at home.",
    "Takes {medication} and misses about {1-3} doses a week.",
    "Diet is kept on most days; weight is {1-4} kg {up|down} since the last visit.",
    "The condition limits walking to {10-40} minutes.",
    "Tolerates the medication well.",
  ],
  vitals: "BP {124-152}/{74-92}, heart rate {62-88}, weight {64-108} kg, SpO2 {93-98} %.",
  plans: [
    "Medication adjustment: {medication} from today.",
    "Continue {medication}; control is {good|fair|not yet at target}.",
    "Laboratory tests before the next planned review in {3|6} months.",
    "Written plan for flare-ups handed out.",
    "Session with the dietitian offered.",
    "Influenza and pneumococcal shots are complete.",
  ],
};

const specialistReferral: NoteParts = {
  cases: [
    {
      department: "Neurology",
      reason:
        "{Person} sent by {clinician} for a specialist opinion on {a tremor|headaches|numb fingers} of {3-14} months.",
      findings: [
        "Mild rigidity on the {left|right}, gait normal.",
        "The MRI that came with the letter shows no lesion.",
      ],
      medication: "propranolol {10|20|40} mg twice daily",
    },
    {
      department: "Rheumatology",
      reason: "Consultation asked for by {clinician}: {person} with swollen finger joints of unclear cause.",
      findings: [
        "Three small joints tender, grip {12-28} kg.",
        "Antibodies sent by the referring clinician {weakly positive|negative}.",
      ],
      medication: "naproxen {250|500} mg twice daily",
    },
    {
      department: "Cardiology",
      reason: "Referral of {person} with palpitations, question of further rhythm tests.",
      findings: ["Sinus rhythm, PR {140-190} ms.", "No murmur, echocardiography at the bedside normal."],
      medication: "bisoprolol {1|2|5} mg daily",
    },
    {
      department: "Dermatology",
      reason: "{Person} referred for an opinion on a changing mole of the {back|forearm|calf}.",
      findings: ["Irregular lesion of {5-11} mm with two colours.", "Lymph nodes not enlarged."],
      medication: "hydrocortisone cream 1 %",
    },
    {
      department: "Gastroenterology",
      reason: "Referral from {clinician}: {person} with {8-20} weeks of altered bowel habit.",
      findings: ["Abdomen soft, no mass.", "Calprotectin {30-240} micrograms/g, thyroid tests normal."],
      medication: "pantoprazole 40 mg daily",
    },
  ],
  histories: [
    "The referral letter lists the tests done so far; none gave an answer.",
    "Onset was slow, and nobody in the family has had the like.",
    "Was tried on {medication} by the referring clinician with little effect.",
    "Brings earlier imaging on a disc, which was looked at together.",
    "The question put to us is whether further tests are needed.",
  ],
  vitals: "BP {112-138}/{68-86}, heart rate {60-84}, no fever.",
  plans: [
    "Further imaging requested: {MRI with contrast|ultrasound|CT}.",
    "Further tests: {nerve conduction|7-day rhythm monitor|biopsy|colonoscopy}, as the specialist sees fit.",
    "A letter with our opinion goes to the referring clinician.",
    "Start {medication} until the results are there.",
    "Second consultation in {4-10} weeks.",
    "If the tests are normal, back to the care of {clinician}.",
  ],
};

const mentalHealth: NoteParts = {
  cases: [
    {
      department: "Psychiatry",
      reason: "{Person} with low mood and poor sleep over the past {4-16} weeks.",
      findings: ["Affect flat, speech slow, thought ordered.", "PHQ-9 {12-21}: moderate depression."],
      medication: "sertraline {50|100} mg daily",
    },
    {
      department: "Psychology",
      reason: "Therapy session {3-14} with {person}: panic in {crowds|meetings|the underground}.",
      findings: ["GAD-7 {8-18}, anxiety plain to see in the first minutes.", "Breathing exercise done together."],
      medication: "escitalopram {5|10} mg daily",
    },
    {
      department: "Behavioral Health",
      reason: "{Person} comes about depression that returned after {a separation|a bereavement|the loss of a job}.",
      findings: ["Tearful at times, eye contact good.", "Mood put at {3-6} out of 10."],
      medication: "mirtazapine {15|30} mg at night",
    },
    {
      department: "Psychiatry",
      reason: "Psychiatric visit of {person} with bipolar disorder, mood {stable|slightly raised|low} this month.",
      findings: ["No psychotic symptoms, good insight.", "Lithium level 0.{5-8} mmol/L."],
      medication: "lithium {400|600} mg at night",
    },
    {
      department: "Behavioral Health",
      reason: "{Person} asks for help with alcohol use, stress at work and anxiety in the evenings.",
      findings: ["Substance use: alcohol on {2-6} days a week.", "Hands steady, oriented, ready for change."],
      medication: "naltrexone 50 mg daily",
    },
  ],
  histories: [
    "Sleep is {3-6} hours with early waking; little pleasure in things once enjoyed.",
    "Reports {2-5} bad evenings a week, each with an hour of worry.",
    "No thoughts of self-harm.",
    "Takes {medication}, with {mild nausea|a dry mouth|no side effects}.",
    "Stress is highest on {Sundays|working days}; a partner is supportive.",
  ],
  vitals: "BP {110-134}/{68-86}, heart rate {64-92}, weight steady.",
  plans: [
    "Counseling continues weekly; the next therapy session works on avoidance.",
    "Medication: {medication}, to be looked at again in {2|4|6} weeks.",
    "A fixed hour for rising and a sleep diary agreed.",
    "Safety plan renewed with the crisis line and two people to call.",
    "Group therapy offered from {March|May|September}.",
    "Mood score to be taken again next time.",
  ],
};

const postOperative: NoteParts = {
  cases: [
    {
      department: "General Surgery",
      reason: "{Person} seen {7-21} days after {gallbladder|hernia|appendix} surgery for a wound check.",
      findings: ["Incision clean and dry, edges together.", "Small seroma, {10-30} ml drawn off without trouble."],
      medication: "paracetamol 1 g up to four times daily",
    },
    {
      department: "Orthopedics",
      reason: "{Person}, {2-8} weeks after {left|right} {knee|hip} replacement.",
      findings: ["Bends to {70-115} degrees, swelling going down.", "Wound of {9-18} cm healing well."],
      medication: "enoxaparin 40 mg daily until day 28",
    },
    {
      department: "General Surgery",
      reason: "{Person} returns for removal of {sutures|staples} {10-16} days after thyroid surgery.",
      findings: ["Scar soft, no redness.", "Voice and swallowing normal, calcium 2.{1-5} mmol/L."],
      medication: "ibuprofen {200|400} mg with meals",
    },
    {
      department: "Urology",
      reason:
        "First visit of {person} after {kidney|bladder} surgery, with a question about discharge from the drain site.",
      findings: ["Drain site closed, no discharge on pressure.", "Urine clear, creatinine {60-105} micromol/L."],
      medication: "tamsulosin 0.4 mg at night",
    },
  ],
  histories: [
    "Pain is {1-4} out of 10 and needs {medication}.",
    "Eats and drinks normally, bowels open since day {2|3|4} after the operation.",
    "The drain came out on day {2-6}; there was no fever at home.",
    "Walks with {one crutch|two crutches|no aid} for {10-45} minutes at a time.",
    "The operation went without complication.",
  ],
  vitals: "BP {112-136}/{66-84}, heart rate {62-84}, temperature 36.{3-9} °C.",
  plans: [
    "Half of the {sutures|staples} taken out, strips placed.",
    "Pain control: {medication}, to be stopped within {1|2} weeks.",
    "No lifting over {5|8|10} kg for {3-6} weeks, then return to activity step by step.",
    "Physiotherapy twice a week.",
    "Wound care explained; to call with redness or fever.",
    "Surgical follow-up in {2-6} weeks.",
  ],
};

const noteParts: Readonly<Record<VisitKind, NoteParts>> = {
  Emergency: emergency,
  "Routine Checkup": routineCheckup,
  "Chronic Disease Management": chronicDisease,
  "Specialist Referral": specialistReferral,
  "Mental Health": mentalHealth,
  "Post-Operative Follow-up": postOperative,
};
