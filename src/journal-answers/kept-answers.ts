import type { JournalReader, JournalSession, JournalWrites, Page, StoredAnswer } from "../contracts/journal.ts";
import type { Evaluation, Override } from "../contracts/journal-work.ts";
import { isMarked, type KeptTexts, type Place, withoutMark } from "./kept-texts.ts";

/** A journal's session in which answers, keys that come from them, decisions of people and findings are kept as `texts` says. */
export function keptSession<Session extends JournalSession>(session: Session, texts: KeptTexts): Session {
  const { overrides, evaluations, leases } = session;
  return {
    ...session,
    ...keptWrites(session, texts),
    overrides: {
      ...overrides,
      find: async (pipeline, step, hashes) => {
        const found = await overrides.find(pipeline, step, hashes);
        return new Map([...found].map(([hash, each]) => [hash, fromKeptOverride(texts, each)]));
      },
      save: async (decisions) => await overrides.save(decisions.map((each) => toKeptOverride(texts, each))),
    },
    evaluations: {
      save: async (evaluation) => await evaluations.save(toKeptEvaluation(texts, evaluation)),
      find: findEvaluation(evaluations, texts),
    },
    leases: { ...leases, under: (lease) => keptWrites(leases.under(lease), texts) },
  };
}

function keptWrites({ answers, rows, children, runs }: JournalWrites, texts: KeptTexts): JournalWrites {
  return {
    answers: {
      ...answers,
      find: findAnswers(answers, texts),
      save: async (fingerprint, answer) => await answers.save(fingerprint, toKeptAnswer(texts, fingerprint, answer)),
    },
    rows,
    children: {
      find: findChildren(children, texts),
      save: async (sink, ofRows) =>
        await children.save(
          sink,
          ofRows.map((row) => ({
            ...row,
            children: row.children.map((one) => texts.toKept(one, ["child", sink, row.pk])),
          })),
        ),
    },
    runs,
  };
}

/** The same for a look. */
export function keptReader(reader: JournalReader, texts: KeptTexts): JournalReader {
  const { answers, children, overrides, evaluations, contents } = reader;
  return {
    ...reader,
    contents: contents && {
      ...contents,
      answerCounts: async () =>
        (await contents.answerCounts()).map(({ runId, model, count }) => ({ runId, model: withoutMark(model), count })),
    },
    answers: { ...answers, find: findAnswers(answers, texts) },
    children: { find: findChildren(children, texts) },
    overrides: {
      list: async (request) => pageOf(await overrides.list(request), (each) => fromKeptOverride(texts, each)),
    },
    evaluations: {
      list: async (request) => pageOf(await evaluations.list(request), (each) => fromKeptEvaluation(texts, each)),
      find: findEvaluation(evaluations, texts),
    },
  };
}

function findAnswers(answers: JournalReader["answers"], texts: KeptTexts): JournalReader["answers"]["find"] {
  return async (fingerprints) => {
    const kept = await answers.find(fingerprints);
    const found = new Map<string, StoredAnswer>();
    for (const [fingerprint, answer] of kept) found.set(fingerprint, fromKeptAnswer(texts, fingerprint, answer));
    return found;
  };
}

function findChildren(children: JournalReader["children"], texts: KeptTexts): JournalReader["children"]["find"] {
  return async (sink, pks) => {
    const kept = await children.find(sink, pks);
    return new Map([...kept].map(([pk, ofRow]) => [pk, ofRow.map((one) => texts.fromKept(one, ["child", sink, pk]))]));
  };
}

function findEvaluation(
  { find }: Pick<JournalReader["evaluations"], "find">,
  texts: KeptTexts,
): JournalReader["evaluations"]["find"] {
  return async (id) => {
    const found = await find(id);
    return found && fromKeptEvaluation(texts, found);
  };
}

/** The reason for its end is a part of the place: an answer that was cut off does not become a whole one. */
function placeOfAnswer(fingerprint: string, { finishReason }: StoredAnswer): Place {
  return ["answer", fingerprint, finishReason];
}

function toKeptAnswer(texts: KeptTexts, fingerprint: string, answer: StoredAnswer): StoredAnswer {
  const pair = { text: answer.text, beside: answer.model };
  const { text, beside } = texts.toKeptPair(pair, placeOfAnswer(fingerprint, answer));
  return { ...answer, text, model: beside };
}

function fromKeptAnswer(texts: KeptTexts, fingerprint: string, answer: StoredAnswer): StoredAnswer {
  if (!isMarked(answer.text) && !isMarked(answer.model)) return answer; // as most are
  const pair = { text: answer.text, beside: answer.model };
  const { text, beside } = texts.fromKeptPair(pair, placeOfAnswer(fingerprint, answer));
  return { ...answer, text, model: beside };
}

function placeOfOverride({ pipeline, step, inputHash }: Override): Place {
  return ["decision", pipeline, step, inputHash];
}

function toKeptOverride(texts: KeptTexts, decision: Override): Override {
  const pair = { text: decision.output, beside: decision.pk };
  const { text, beside } = texts.toKeptPair(pair, placeOfOverride(decision));
  return { ...decision, output: text, pk: beside };
}

function fromKeptOverride(texts: KeptTexts, decision: Override): Override {
  const pair = { text: decision.output, beside: decision.pk };
  const { text, beside } = texts.fromKeptPair(pair, placeOfOverride(decision));
  return { ...decision, output: text, pk: beside };
}

function toKeptEvaluation(texts: KeptTexts, evaluation: Evaluation): Evaluation {
  return { ...evaluation, findings: texts.toKept(evaluation.findings, ["evaluation", evaluation.id]) };
}

function fromKeptEvaluation(texts: KeptTexts, evaluation: Evaluation): Evaluation {
  return { ...evaluation, findings: texts.fromKept(evaluation.findings, ["evaluation", evaluation.id]) };
}

function pageOf<Item>({ items, next }: Page<Item>, toItem: (item: Item) => Item): Page<Item> {
  return { items: items.map(toItem), next };
}
