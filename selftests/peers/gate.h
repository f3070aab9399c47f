/* SPDX-License-Identifier: GPL-2.0 */
/* What the module gate offers to test peers. */
#ifndef D2D_GATE_H
#define D2D_GATE_H

void d2d_gate_operation(void);
void d2d_gate_handshake(void);

#endif /* D2D_GATE_H */
