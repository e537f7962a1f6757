export type { ContractCheck } from "./base.ts";
export { MemorySink, type MemorySinkOptions } from "./memory-sink.ts";
export { MemorySource, type MemorySourceOptions } from "./memory-source.ts";
export { providerContract, type ProviderContractOptions } from "./provider-contract.ts";
export { sinkContract, type SinkContractOptions, type SinkUnderTest } from "./sink-contract.ts";
export { sourceContract, type SourceContractOptions } from "./source-contract.ts";
export type { JournalUnderTest } from "./journal-check.ts";
export { journalContract } from "./journal-contract.ts";
export { tableSinkContract, type TableSinkContractOptions } from "./table-sink-contract.ts";
export type { DatabaseUnderTest, TestColumn, TestSinkOptions, TestTable } from "./table-under-test.ts";
export { stepContract, type StepContractOptions } from "./step-contract.ts";
export type { SimulatorBatchOptions } from "./simulator/batch/options.ts";
export type { SimulatorBatchFaultName, SimulatorBatchFaults } from "./simulator/batch/request-faults.ts";
export type {
  SimulatedBatch,
  SimulatedFile,
  SimulatedLine,
  SimulatorBatches,
  SimulatorBatchEvent,
  SimulatorBatchOperation,
  SimulatorBatchRequest,
  SimulatorBatchStatus,
  SimulatorBatchStep,
  SimulatorLineFaultName,
} from "./simulator/batch/words.ts";
export type { SimulatorFaultName, SimulatorFaults, SimulatorFaultWaits, SimulatorRequest } from "./simulator/faults.ts";
export type { LabelledCSVOptions } from "./simulator/labelled-csv.ts";
export type { SimulatorLatency } from "./simulator/latency.ts";
export type { SimulatorBill, SimulatorBillPart } from "./simulator/ledger.ts";
export type { AzureOpenAISimulatorChanges, AzureOpenAISimulatorOptions } from "./simulator/options.ts";
export type { SimulatorResponseFormat } from "./simulator/response-format.ts";
export type { SimulatorRetryAfter, SimulatorRetryAfterForm } from "./simulator/retry-after.ts";
export { startAzureOpenAISimulator, type AzureOpenAISimulator } from "./simulator/server.ts";
export type { SimulatorStatistics } from "./simulator/statistics.ts";
export type { SimulatorTier } from "./simulator/tiers.ts";
