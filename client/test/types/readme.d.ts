// The names that the READMEs' snippets use from the surrounding text.

declare const client: import("wasmnet").WasmnetClient;
declare const query: Uint8Array;
declare const worker: Worker;
declare const link: import("wasmnet/wasi/index.js").GuestLink;
declare const module: WebAssembly.Module;
declare const imports: WebAssembly.Imports;
declare const shim: { wasiImport: WebAssembly.ModuleImports; inst: WebAssembly.Instance };

declare module "ws" {
  export const WebSocket: new (url: string, protocols?: string[]) => unknown;
}

declare module "*/program.mjs" {
  export default function createProgram(settings: { arguments: string[] }): Promise<unknown>;
}
