#pragma once

/// The commit that the package was built from, 40 hexadecimal digits; empty if unknown.
const char *wasmnet_build_commit(void);
