/* SPDX-License-Identifier: GPL-2.0 */
/* What the module hold_calls offers to test peers. */
#ifndef D2D_HOLD_CALLS_H
#define D2D_HOLD_CALLS_H

void d2d_hold_operation(void);
void d2d_hold_handshake(void);

#endif /* D2D_HOLD_CALLS_H */
