import assert from "node:assert/strict";
import { test } from "node:test";
import { countTokens } from "gpt-tokenizer/encoding/o200k_base";
import { RequestSize, tokenCounter, tokensByScript } from "../../src/plan/token-count.ts";

const texts: Readonly<Record<string, string>> = {
  english:
    "The patient reports a sore throat and mild fever since Tuesday. She was seen in the clinic last month for a similar complaint and improved with rest, fluids and paracetamol. No known allergies; blood pressure was normal.",
  german:
    "Die Patientin klagt seit Dienstag über Halsschmerzen und leichtes Fieber. Im vergangenen Monat wurde sie wegen ähnlicher Beschwerden in der Sprechstunde gesehen und erholte sich mit Ruhe, viel Flüssigkeit und Paracetamol. Keine bekannten Allergien.",
  french:
    "La patiente signale un mal de gorge et une légère fièvre depuis mardi. Elle avait été vue à la clinique le mois dernier pour des plaintes semblables et s'était rétablie avec du repos et beaucoup d'eau.",
  polish:
    "Pacjentka skarży się od wtorku na ból gardła i lekką gorączkę. W zeszłym miesiącu była w przychodni z podobnymi dolegliwościami i wyzdrowiała po odpoczynku oraz paracetamolu.",
  turkish:
    "Hasta salı gününden beri boğaz ağrısı ve hafif ateşten şikâyet ediyor. Geçen ay benzer bir şikâyetle kliniğe gelmiş, dinlenme ve bol sıvı ile iyileşmişti.",
  russian:
    "Пациентка жалуется на боль в горле и небольшую температуру со вторника. В прошлом месяце она обращалась в клинику с похожими жалобами и поправилась после отдыха и обильного питья.",
  greek:
    "Η ασθενής παραπονιέται για πονόλαιμο και ελαφρύ πυρετό από την Τρίτη. Τον περασμένο μήνα είχε επισκεφθεί την κλινική με παρόμοια ενοχλήματα.",
  arabic:
    "تشكو المريضة من التهاب في الحلق وحمى خفيفة منذ يوم الثلاثاء. زارت العيادة الشهر الماضي بسبب شكوى مماثلة وتحسنت بالراحة والسوائل.",
  hebrew:
    "המטופלת מתלוננת על כאב גרון וחום קל מאז יום שלישי. בחודש שעבר היא ביקרה במרפאה עם תלונה דומה והחלימה במנוחה.",
  chinese:
    "患者自星期二以来喉咙痛并有轻微发烧。上个月她因类似症状到诊所就诊，休息和多喝水后好转。没有已知的过敏史，血压正常。",
  japanese:
    "患者は火曜日から喉の痛みと微熱を訴えている。先月も同じような症状で診療所を受診し、休養と水分補給で回復した。アレルギーはない。",
  korean:
    "환자는 화요일부터 목이 아프고 미열이 있다고 호소한다. 지난달에도 비슷한 증상으로 병원을 방문했으며 휴식과 수분 섭취로 회복되었다.",
  hindi:
    "मरीज को मंगलवार से गले में दर्द और हल्का बुखार है। पिछले महीने वह इसी तरह की शिकायत के साथ क्लिनिक आई थी और आराम से ठीक हो गई थी।",
  thai: "ผู้ป่วยมีอาการเจ็บคอและมีไข้เล็กน้อยตั้งแต่วันอังคาร เดือนที่แล้วเธอมาที่คลินิกด้วยอาการคล้ายกันและหายดีหลังจากพักผ่อน",
  numbers:
    "2026-11-30 14:22:05; 118/76 mmHg; 37.8 C; 92 bpm; SpO2 97%; WBC 11.2; CRP 48.3; K 4.1; Na 139; glucose 104 mg/dL; 10023941; 88312",
  json: '{"encounter_id":"E-10023","department":"Cardiology","vitals":{"bp":"118/76","hr":92},"notes":["follow-up in 2 weeks","ECG normal"],"discharged":false}',
  shouting: "PT C/O SOB X 3D, HX COPD, RR 22, SPO2 91% RA. PLAN: NEBS Q4H, PRED 40MG X5D, CXR PA/LAT. F/U PCP 1W.",
};

/** Accented letters, abbreviations and figures fall apart in more ways than prose. */
const off: Readonly<Record<string, number>> = { polish: 0.3, turkish: 0.3, numbers: 0.35, shouting: 0.3 };

for (const [name, text] of Object.entries(texts)) {
  const most = off[name] ?? 0.12;
  test(`the tokens of ${name} are estimated to within ${100 * most} %`, () => {
    const ratio = tokensByScript(text) / countTokens(text);
    assert.ok(Math.abs(ratio - 1) <= most, `${ratio}`);
  });
}

test("with the package a text is counted by its tokenizer, without it by characters; any other error is not hidden", async () => {
  const { method, count } = await tokenCounter();
  assert.equal(method, "tokenizer");
  assert.equal(count("Hello, world"), countTokens("Hello, world"));
  const missing = Object.assign(new Error("not there"), { code: "ERR_MODULE_NOT_FOUND" });
  const without = await tokenCounter(async () => await Promise.reject(missing));
  assert.equal(without.method, "characters");
  assert.equal(without.count("Hello, world"), tokensByScript("Hello, world"));
  await assert.rejects(
    tokenCounter(async () => await Promise.reject(new SyntaxError("broken"))),
    SyntaxError,
  );
});

test("a request has the tokens of its messages; instructions that come again are counted once", () => {
  const counted: string[] = [];
  const size = new RequestSize((text) => {
    counted.push(text);
    return text.length;
  });
  const messages = (text: string) => [
    { role: "system", content: "instructions" } as const,
    { role: "user", content: text } as const,
  ];
  assert.equal(size.of(messages("one")), 4 + 12 + 4 + 3);
  assert.equal(size.of(messages("three")), 4 + 12 + 4 + 5);
  assert.deepEqual(counted, ["instructions", "one", "three"]);
});

test("a text with special tokens in it is counted like any other", async () => {
  const { count } = await tokenCounter();
  assert.ok(count("before <|endoftext|> after <|im_start|>") > 3);
});

test("a word as long as a page is counted in moments, and a page to within a few tokens of the whole", async () => {
  const { count } = await tokenCounter();
  assert.ok(count("患".repeat(30_000)) > 20_000);
  const page = "The patient was seen again and felt better. ".repeat(200);
  assert.ok(Math.abs(count(page) - countTokens(page)) < 10);
});

test("no text, surrogates that stand alone, and a long one", () => {
  assert.equal(tokensByScript(""), 0);
  assert.ok(tokensByScript("\ud800\udfff\udc00") > 0);
  assert.ok(tokensByScript("word ".repeat(200_000)) > 150_000);
});
