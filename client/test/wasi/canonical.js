// The glue that jco writes for a component, for a core module that is not a component: lowers its imports to the interfaces' classes by
// the Canonical ABI. It is as strict as jco's: a value that does not fit its WIT type is a TypeError, which traps.

import { camel, interfaces, pascal, resources, waiting } from "./wit02.js";

const integers = { u8: 1, bool: 1, u16: 2, u32: 4, u64: 8 };
const kindOf = (type) => (typeof type === "string" ? type : Object.keys(type)[0]);
const discriminantSize = (count) => (count <= 256 ? 1 : 2);
const roundUp = (at, to) => Math.ceil(at / to) * to;

/** Everything with cases as one form: [[name, payload type or null]]. */
function casesOf(type) {
  if (type.option) return [["none", null], ["some", type.option]];
  if (type.result) return [["ok", type.result.ok], ["err", type.result.error]];
  return type.enum ? type.enum.map((name) => [name, null]) : Object.entries(type.variant);
}
const fieldsOf = (type) => (type.record ? Object.entries(type.record) : type.tuple.map((field, index) => [index, field]));

const layouts = new Map();
function layoutOf(type) {
  if (!layouts.has(type)) layouts.set(type, computeLayout(type));
  return layouts.get(type);
}

function computeLayout(type) {
  const kind = kindOf(type);
  if (integers[kind]) return { size: integers[kind], align: integers[kind], flat: [kind === "u64" ? "i64" : "i32"] };
  if (kind === "own" || kind === "borrow") return { size: 4, align: 4, flat: ["i32"] };
  if (kind === "string" || kind === "list") return { size: 8, align: 4, flat: ["i32", "i32"] };
  if (kind === "record" || kind === "tuple") {
    let at = 0;
    let align = 1;
    const offsets = [];
    const flat = [];
    for (const [, field] of fieldsOf(type)) {
      const layout = layoutOf(field);
      offsets.push(at = roundUp(at, layout.align));
      at += layout.size;
      align = Math.max(align, layout.align);
      flat.push(...layout.flat);
    }
    return { size: roundUp(at, align), align, flat, offsets };
  }
  const cases = casesOf(type);
  const payloads = cases.map(([, payload]) => (payload ? layoutOf(payload) : { size: 0, align: 1, flat: [] }));
  const tag = discriminantSize(cases.length);
  const align = Math.max(tag, ...payloads.map((payload) => payload.align));
  const at = roundUp(tag, Math.max(...payloads.map((payload) => payload.align)));
  const flat = ["i32"];
  for (const payload of payloads) payload.flat.forEach((core, index) => { flat[index + 1] = flat[index + 1] === undefined || flat[index + 1] === core ? core : "i64"; });
  return { size: roundUp(at + Math.max(...payloads.map((payload) => payload.size)), align), align, flat, tag, at };
}

/** The import functions for `modules`, which socketInterfaces() created. `instance` is requested when the first of them is called. */
export function lowerImports(modules, instance, { version = "0.2.0", suspend = (call) => call } = {}) {
  const handles = new Map();
  let lastHandle = 0;
  const classes = new Map(Object.entries(resources).flatMap(([name, list]) => list.map((resource) => [resource, modules[name][pascal(resource)]])));
  const view = () => new DataView(instance().exports.memory.buffer);
  const memory = (at, length) => new Uint8Array(instance().exports.memory.buffer, at, length);

  const lift = {
    handle: (handle) => {
      if (!handles.has(handle)) throw new TypeError(`no handle ${handle}`);
      return handles.get(handle);
    },
    /** A value from flat parameters, which are taken from the front of `flat`. */
    flat(type, flat) {
      const kind = kindOf(type);
      if (kind === "u64") return BigInt.asUintN(64, flat.shift());
      if (kind === "bool") return flat.shift() !== 0;
      if (integers[kind]) return flat.shift() >>> 0;
      if (kind === "own" || kind === "borrow") return this.handle(flat.shift());
      if (kind === "string" || kind === "list") return this.elements(type, flat.shift(), flat.shift());
      if (kind === "record" || kind === "tuple") return shape(type, fieldsOf(type).map(([, field]) => this.flat(field, flat)));
      const own = flat.splice(0, layoutOf(type).flat.length);
      const [name, payload] = casesOf(type)[own.shift()];
      return chosen(type, name, payload && this.flat(payload, own));
    },
    memory(type, at) {
      const kind = kindOf(type);
      if (kind === "u64") return view().getBigUint64(at, true);
      if (kind === "bool") return view().getUint8(at) !== 0;
      if (integers[kind]) return view()[`getUint${integers[kind] * 8}`](at, true);
      if (kind === "own" || kind === "borrow") return this.handle(view().getInt32(at, true));
      if (kind === "string" || kind === "list") return this.elements(type, view().getUint32(at, true), view().getUint32(at + 4, true));
      const layout = layoutOf(type);
      if (kind === "record" || kind === "tuple") return shape(type, fieldsOf(type).map(([, field], index) => this.memory(field, at + layout.offsets[index])));
      const [name, payload] = casesOf(type)[layout.tag === 1 ? view().getUint8(at) : view().getUint16(at, true)];
      return chosen(type, name, payload && this.memory(payload, at + layout.at));
    },
    elements(type, at, count) {
      if (type === "string") return new TextDecoder().decode(memory(at, count));
      if (type.list === "u8") return memory(at, count).slice();
      return Array.from({ length: count }, (_, index) => this.memory(type.list, at + index * layoutOf(type.list).size));
    },
  };

  const store = (type, value, at) => {
    const kind = kindOf(type);
    const layout = layoutOf(type);
    if (kind === "u64") return view().setBigUint64(at, fitting(type, value), true);
    if (integers[kind]) return view()[`setUint${integers[kind] * 8}`](at, Number(fitting(type, value)), true);
    if (kind === "own") return view().setInt32(at, give(type.own, value), true);
    if (kind === "string" || kind === "list") return storeList(type, value, at);
    if (kind === "record" || kind === "tuple") {
      if (type.tuple && value?.length !== type.tuple.length) throw new TypeError(`a tuple of ${type.tuple.length}, not ${value}`);
      return fieldsOf(type).forEach(([name, field], index) => store(field, value[type.tuple ? name : camel(name)], at + layout.offsets[index]));
    }
    const { name, payload } = caseOf(type, value);
    const index = casesOf(type).findIndex(([each]) => each === name);
    if (index < 0) throw new TypeError(`${name} is none of ${casesOf(type).map(([each]) => each)}`);
    if (layout.tag === 1) view().setUint8(at, index);
    else view().setUint16(at, index, true);
    if (casesOf(type)[index][1]) store(casesOf(type)[index][1], payload, at + layout.at);
  };

  const storeList = (type, value, at) => {
    const values = type === "string" ? new TextEncoder().encode(value) : value;
    const element = layoutOf(type === "string" ? "u8" : type.list);
    if (type.list === "u8" && !(values instanceof Uint8Array)) throw new TypeError("list<u8> is a Uint8Array");
    const pointer = instance().exports.cabi_realloc(0, 0, element.align, values.length * element.size);
    if (values instanceof Uint8Array) memory(pointer, values.length).set(values);
    else [...values].forEach((each, index) => store(type.list, each, pointer + index * element.size));
    view().setUint32(at, pointer, true);
    view().setUint32(at + 4, values.length, true);
  };

  const give = (resource, value) => {
    if (!(value instanceof classes.get(resource))) throw new TypeError(`not a ${resource}: ${value}`);
    handles.set(++lastHandle, value);
    return lastHandle;
  };

  /** A function's flat import; results of more than one core value are written to a pointer, the last parameter. */
  const lower = (call, parameters, type) => {
    const isIndirect = type !== null && layoutOf(type).flat.length > 1;
    const answer = (flat, value) => {
      if (type === null) return undefined;
      if (isIndirect) return store(type, value, flat[0]);
      if (kindOf(type) === "own") return give(type.own, value);
      if (type.enum) return type.enum.indexOf(value);
      if (type.result) return casesOf(type).findIndex(([name]) => name === value.tag);
      return kindOf(type) === "u64" ? BigInt.asIntN(64, fitting(type, value)) : Number(fitting(type, value));
    };
    const outcome = (run) => {
      if (!type?.result) return run();
      const ok = (value) => ({ tag: "ok", val: value });
      const error = (thrown) => {
        if (thrown instanceof Error) throw thrown;
        return { tag: "err", val: thrown };
      };
      try {
        const value = run();
        return value instanceof Promise ? value.then(ok, error) : ok(value);
      } catch (thrown) {
        return error(thrown);
      }
    };
    return (...flat) => {
      const values = parameters.map((parameter) => lift.flat(parameter, flat));
      const value = outcome(() => call(...values));
      return value instanceof Promise ? value.then((settled) => answer(flat, settled)) : answer(flat, value);
    };
  };

  const imports = {};
  for (const [name, functions] of Object.entries(interfaces)) {
    const module = imports[`${name}@${version}`] = {};
    for (const resource of resources[name] ?? []) {
      module[`[resource-drop]${resource}`] = (handle) => {
        lift.handle(handle)[Symbol.dispose || Symbol.for("dispose")]?.();
        handles.delete(handle);
      };
    }
    for (const [path, parameters, type] of functions) {
      const [resource, method] = path.includes(".") ? path.split(".") : [null, path];
      const call = resource
        ? lower((self, ...values) => self[camel(method)](...values), [{ borrow: resource }, ...parameters], type)
        : lower(modules[name][camel(method)], parameters, type);
      module[resource ? `[method]${path}` : path] = waiting.has(path) ? suspend(call) : call;
    }
  }
  return { imports, openHandles: () => [...handles.values()].map((object) => object.constructor.name) };
}

function shape(type, values) {
  return type.tuple ? values : Object.fromEntries(Object.keys(type.record).map((name, index) => [camel(name), values[index]]));
}

function chosen(type, name, payload) {
  if (type.enum) return name;
  if (type.option) return name === "none" ? undefined : payload;
  return payload === null ? { tag: name } : { tag: name, val: payload };
}

function caseOf(type, value) {
  if (type.enum) return { name: value };
  if (type.option) return value === undefined || value === null ? { name: "none" } : { name: "some", payload: value };
  return { name: value?.tag, payload: value?.val };
}

function fitting(type, value) {
  const wanted = type === "u64" ? "bigint" : type === "bool" ? "boolean" : "number";
  if (typeof value !== wanted) throw new TypeError(`a ${type} is a ${wanted}, not ${typeof value}`);
  if (type !== "bool" && (value < 0 || BigInt(value) >= 1n << BigInt(integers[type] * 8))) throw new TypeError(`${value} is no ${type}`);
  return value;
}
