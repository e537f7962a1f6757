/** Both questions as steps of llm-etl. */
import { ClassifierStep, SummarizerStep } from "llm-etl";
import { categories } from "./task.ts";

interface Read {
  readonly raw: { readonly note: string };
}

interface Classified extends Read {
  readonly processed: { readonly visit: { readonly category: string } };
}

export const classifier = new ClassifierStep({
  name: "visit_classifier",
  taxonomy: categories,
  inputMap: { text: (s: Read) => s.raw.note },
  outputKey: "visit",
});

export const summarizer = new SummarizerStep({
  name: "note_summarizer",
  inputMap: { focus: (s: Classified) => s.processed.visit.category, text: (s) => s.raw.note },
  outputKey: "summary",
});
