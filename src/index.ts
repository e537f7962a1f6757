export type { CheckOptions } from "./check/check.ts";
export type { Requirements } from "./contracts/requirements.ts";
export type { CheckArea, CheckReport, Finding, FindingStatus, PingFacts, StepPrompt } from "./check/report.ts";
export type { BatchOutcome, EventHandler, RowOutcome, RunEvent } from "./contracts/events.ts";
export { ColumnMapError, EachError, SinkDataError, SinkError, TargetError, ValueError } from "./errors/sink.ts";
export type { ErrorFacts, Fact } from "./errors/facts.ts";
export { DeadLetterError, JournalError, JournalInUseError, LeaseLostError, PayloadLogError } from "./errors/journal.ts";
export {
  EmptyInputError,
  InputMapError,
  InputTooLongError,
  ProviderChoiceError,
  StepFailedError,
  ValidationError,
  WhenError,
} from "./errors/step.ts";
export {
  type ErrorCode,
  errorCodes,
  type ErrorOptions,
  type ErrorScope,
  type InvalidAnswer,
  LLMEtlError,
  RowError,
  RunError,
} from "./errors/llm-etl-error.ts";
export { OptionError, SchemaError, SettingError } from "./errors/option.ts";
export { PrimaryKeyError, RowSchemaError, SourceError } from "./errors/source.ts";
export { TaxonomyError } from "./errors/taxonomy.ts";
export type { Asking, FieldLimit, Step, StepContext } from "./contracts/step.ts";
export { Pipeline, type StateOf } from "./builder/pipeline.ts";
export type { EachOptions, PipelineItems, RunnablePipeline, WithItem } from "./builder/runnable.ts";
export type { BudgetOption } from "./pipeline/budget.ts";
export type { BatchOptions } from "./batches/options.ts";
export type { OpenBatch } from "./pipeline/batches-of.ts";
export type { PlanEvent, PlanLimit, PlanOptions } from "./plan/options.ts";
export type {
  PlanNote,
  PlannedCost,
  PlannedNumber,
  PlannedRows,
  PlannedRun,
  PlannedSample,
  PlannedStep,
  PlanReport,
} from "./plan/report.ts";
export type { PipelineOptions, PreviewOptions, ReplayOptions, RunOptions } from "./pipeline/options.ts";
export type {
  ChangesRead,
  PreviewedRow,
  PreviewedTarget,
  PreviewReport,
  ReplayReport,
  RunCost,
  RunFigures,
  RunKind,
  RunReport,
  RunUsage,
} from "./contracts/report.ts";
export type {
  BadRow,
  Journal,
  JournalReader,
  JournalSession,
  JournalWrites,
  KnownRow,
  Page,
  PageRequest,
  PastRun,
  RunFacts,
  RunFilter,
  RowChildren,
  RowUse,
  RunRecord,
  StoredAnswer,
  WrittenRow,
} from "./contracts/journal.ts";
export type {
  AnswerCount,
  AnswerOwner,
  FailedKnownRow,
  JournalContents,
  JournalUpkeep,
  RowCount,
  StoredUse,
} from "./contracts/journal-upkeep.ts";
export type {
  RunAttempt,
  RunRow,
  RunRowFilter,
  Spent,
  StepFigures,
  StepSpending,
  TimeSlice,
  ValueBin,
  ValueBins,
  ValueCounts,
} from "./contracts/run-detail.ts";
export type { JournalSpending, LimitsAt, LimitState, Reserved, SpendingLimit } from "./contracts/journal-spending.ts";
export type {
  OpenReservation,
  Reservation,
  Settlement,
  SpendingLook,
  SpentSlice,
} from "./contracts/journal-spending.ts";
export type { Evaluation, Lease, LeasedRange, Override, SubmittedWork, Watermark } from "./contracts/journal-work.ts";
export { GlobalState, SinkState } from "./engine/state.ts";
export { type Lineage } from "./contracts/state.ts";
export type { ColumnDescription, SQLDialect, TargetDescription, ValueType } from "./contracts/target.ts";
export type {
  DeadLetter,
  DeadLetterReplay,
  DeadLetterRest,
  DeadLetterSession,
  DeadRow,
  FailedRow,
} from "./contracts/dead-letter.ts";
export { DeadLetterFile, type DeadLetterFileOptions } from "./dead-letter/file.ts";
export {
  classifierOutput,
  type ClassifierOutputOptions,
  type ClassifierSchema,
  LLMOutputBase,
  type OnInvalidConfidence,
  type LabelCounts,
  type ReasoningPlace,
  SummarizerOutput,
} from "./validation/base-schemas.ts";
export { type Passage, verbatim } from "./validation/verbatim.ts";
export type { AdmissionOptions } from "./llm/limits/options.ts";
export type { Ask, Call, Layer } from "./contracts/call.ts";
export type { Conversation, Prompt } from "./contracts/conversation.ts";
export type { LongInputPrices, PriceListing, Prices, TokenPrices } from "./contracts/prices.ts";
export {
  ProviderError,
  type ProviderErrorClass,
  type ProviderErrorFacts,
  type ProviderErrorKind,
} from "./llm/provider-error.ts";
export { wrapProvider, type WrapOptions } from "./llm/wrap-provider.ts";
export type {
  BatchResult,
  BatchService,
  CallSubject,
  ChatMessage,
  LLMProvider,
  LLMRequest,
  LLMResponse,
  Quota,
  RateLimit,
  RequestPart,
  ServiceBatch,
  TokenUsage,
} from "./contracts/provider.ts";

export type { JSONSchema } from "./json/json-schema.ts";
export type {
  ColumnLimit,
  ColumnMap,
  ColumnValues,
  RowGroup,
  RowsAside,
  Sink,
  SinkContext,
  SinkRun,
  SinkSession,
  SinkGroups,
  SinkTable,
  Violation,
} from "./contracts/sink.ts";

export type {
  ChangedRow,
  ChangePlace,
  ChangeReading,
  Parameters,
  ParameterValue,
  ReadContext,
  RowSchema,
  SchemaResult,
  Source,
  SourceRow,
} from "./contracts/source.ts";
export {
  type Category,
  type ClassifierOutput,
  ClassifierStep,
  type ClassifierStepOptions,
  type LabelsOutput,
} from "./steps/classifier.ts";
export type { CodedLabel, CodedOutput } from "./taxonomy/coded-schema.ts";
export type { TaxonomySearch } from "./taxonomy/coded-way.ts";
export type { Taxonomy, TaxonomyLeaf, TaxonomyNode } from "./taxonomy/taxonomy.ts";
export { taxonomyFrom, type TaxonomyColumns } from "./taxonomy/taxonomy-from.ts";
export { type LeafCode, taxonomyOf, type TaxonomyOptions } from "./taxonomy/taxonomy-of.ts";
export { ExtractorStep, type ExtractorStepOptions } from "./steps/extractor.ts";
export {
  type InputMap,
  type InputValue,
  type InputValues,
  LLMStep,
  type LLMStepOptions,
  type ModelStepOptions,
  type StepExample,
} from "./steps/llm-step.ts";
export { SummarizerStep, type SummarizerStepOptions } from "./steps/summarizer.ts";
export { TransformStep, type TransformStepOptions } from "./steps/transform.ts";
export type { Issue } from "./validation/issues.ts";
export type { Reading } from "./validation/retry.ts";
