// LogGuard: sees to it that a write-ahead log holds acknowledged batches and nothing else.
//
// RocksDB leaves a batch whose write failed in the log, whole or in part, or even writes it there later, from its buffer,
// while it recovers. When that recovery then flushes some column families and fails at the next (a disk that is still
// full), some families are past that batch and others before it, and the replay after the next start would apply half of
// it. So a log that has failed once is cut back to its last sync, and nothing reaches it any more. RocksDB, which may not
// know, is told that its later writes succeed, and the file is as long as it believes: the rest reads as zeros, which
// end a log.
//
// This holds because every batch is synced before it is acknowledged, and one comes after the other (Store::Write).
//
// Threading: any thread. Ownership: the environment shares that which it wraps. Failure: IOStatus, as RocksDB asks; a log
// that cannot be cut goes on failing, and the database stays read-only.
#ifndef SIGHTLINE_INDEX_STORE_LOG_GUARD_H_
#define SIGHTLINE_INDEX_STORE_LOG_GUARD_H_

#include <rocksdb/env.h>

#include <memory>

namespace sightline::index {

// `target` with guarded logs (files whose name ends in .log). `target` must outlive the result.
std::unique_ptr<rocksdb::Env> GuardLogs(rocksdb::Env* target);

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_STORE_LOG_GUARD_H_
