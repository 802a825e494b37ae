/* SQLite on this side of the door: a VFS named "sluice".
 *
 * In the real world it is SQLite's own unix VFS, so that other programs can use the same database at the same time; only clock and
 * randomness are os/'s. In the simulator its files are the simulator's, and SQLite loses power with everything else: locks and shared memory
 * are kept for all connections of the one process, rollback journals and WAL work, memory mapping does not. */
#ifndef OS_VFS_H
#define OS_VFS_H

#define OS_VFS_NAME "sluice"

/* Registers it, not as the default: connections name it, sqlite3_open_v2(path, &db, flags, OS_VFS_NAME). Once at the start, before threads and
 * before lives of the simulator; more often is fine. */
void os_vfs_register(void);

#endif
