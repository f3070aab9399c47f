// SPDX-License-Identifier: GPL-2.0
/* c_bridge as a peer of other_a */
#define ROLE(name)	second_##name
#define OTHER(name)	first_##name
#include "c_bridge.h"

D2D_OWNER(other_a);
