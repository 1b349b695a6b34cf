import Testing
import WasmnetPolicy
