/* SPDX-License-Identifier: GPL-2.0 */
/* What bindgen reads to make the crate d2d_abi: the boundary, and nothing else. */
#include "d2d.h"
#include "d2d_event.h"
#include "d2d_owner.h"
#include "d2d_hot_step.h"
#include "d2d_table.h"
