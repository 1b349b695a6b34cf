// FNV-1a, as the guests compute it; for pages too.

export function checksum(bytes, hash = 2166136261) {
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ bytes[i], 16777619);
  return hash;
}

export const hex = (hash) => (hash >>> 0).toString(16).padStart(8, "0");
