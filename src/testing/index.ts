export type { ContractCheck } from "./contract.ts";
export { MemorySink, type MemorySinkOptions } from "./memory-sink.ts";
export { MemorySource, type MemorySourceOptions } from "./memory-source.ts";
export { providerContract, type ProviderContractOptions } from "./provider-contract.ts";
export { sinkContract, type SinkContractOptions } from "./sink-contract.ts";
export { sourceContract, type SourceContractOptions } from "./source-contract.ts";
export { stepContract, type StepContractOptions } from "./step-contract.ts";
