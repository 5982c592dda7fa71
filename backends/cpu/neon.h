// SPDX-License-Identifier: MIT
// The NEON level, what every 64-bit ARM has: neon.c small operations and attention.
#pragma once

#include "backends/cpu/kernels.h"
