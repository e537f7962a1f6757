export type { CheckOptions } from "./core/check.ts";
export type { Requirements } from "./core/check-environment.ts";
export type { CheckArea, CheckReport, Finding, FindingStatus, PingFacts, StepPrompt } from "./core/check-report.ts";
export type { BatchOutcome, EventHandler, RowOutcome, RunEvent } from "./core/events.ts";
export {
  ColumnMapError,
  DeadLetterError,
  EmptyInputError,
  type ErrorCode,
  errorCodes,
  type ErrorOptions,
  type ErrorScope,
  InputMapError,
  InputTooLongError,
  type InvalidAnswer,
  JournalError,
  JournalInUseError,
  LLMEtlError,
  OptionError,
  PayloadLogError,
  PrimaryKeyError,
  RowError,
  RowSchemaError,
  RunError,
  SchemaError,
  SettingError,
  SinkDataError,
  SinkError,
  SourceError,
  StepFailedError,
  TargetError,
  ValidationError,
  ValueError,
} from "./core/exceptions.ts";
export type { FieldLimit } from "./core/learned-limits.ts";
export { Pipeline, type RunnablePipeline } from "./core/pipeline.ts";
export type { PipelineOptions, ReplayOptions, RunOptions } from "./core/pipeline-options.ts";
export type { ReplayReport, RunCost, RunFigures, RunReport, RunUsage } from "./core/report.ts";
export type { RunRecord } from "./core/run-recorder.ts";
export { GlobalState, type Lineage, SinkState } from "./core/state.ts";
export type { ColumnDescription, TargetDescription } from "./core/target-description.ts";
export type { ValueType } from "./core/value-type.ts";
export type { BadRow, Journal, StoredAnswer, WrittenRow } from "./journal/base.ts";
export type { DeadLetter, FailedRow } from "./dead-letter/base.ts";
export { classifierOutput, LLMOutputBase, SummarizerOutput } from "./llm/base-schemas.ts";
export type { AdmissionOptions } from "./llm/admission-options.ts";
export type { Conversation, Prompt } from "./llm/client.ts";
export type { Prices } from "./llm/pricing.ts";
export { ProviderError, type ProviderErrorClass, type ProviderErrorFacts } from "./llm/provider-error.ts";
export type {
  ChatMessage,
  JSONSchema,
  LLMProvider,
  LLMRequest,
  LLMResponse,
  Quota,
  RateLimit,
  TokenUsage,
} from "./llm/providers/base.ts";
export type { ColumnLimit, ColumnMap, ColumnValues, Sink, SinkContext, SinkSession, Violation } from "./sinks/base.ts";
export type {
  Parameters,
  ParameterValue,
  ReadContext,
  RowSchema,
  SchemaResult,
  Source,
  SourceRow,
} from "./sources/base.ts";
export type { Step, StepContext } from "./steps/base.ts";
export {
  type Category,
  type ClassifierOutput,
  ClassifierStep,
  type ClassifierStepOptions,
} from "./steps/classifier.ts";
export { ExtractorStep, type ExtractorStepOptions } from "./steps/extractor.ts";
export {
  type InputMap,
  type InputValue,
  LLMStep,
  type LLMStepOptions,
  type ModelStepOptions,
} from "./steps/llm-step.ts";
export { SummarizerStep, type SummarizerStepOptions } from "./steps/summarizer.ts";
export { TransformStep, type TransformStepOptions } from "./steps/transform.ts";
export type { Issue } from "./validation/issues.ts";
export type { Reading } from "./validation/retry.ts";
