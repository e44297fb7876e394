// Resumer: takes a RocksDB out of the state in which a failed write has put it, without holding up its caller for long.
//
// RocksDB's own Resume asks for a flush and waits for it. When a compaction that was under way fails meanwhile (a disk
// with little space left), it gives up at once, the flush thread finds nothing to recover and leaves its request in the
// queue, and no later request for it is ever served: the next Resume waits for ever. So it is called when nothing is
// under way, and on a thread of its own, lest something else has this end: the database stays read-only as long as it
// takes, and closing it ends it.
//
// Threading: Resume from one thread at a time. Ownership: owns the thread; the database must outlive the Resumer, and
// be closed right after it. Failure: Status.
#ifndef SIGHTLINE_INDEX_STORE_RESUME_H_
#define SIGHTLINE_INDEX_STORE_RESUME_H_

#include <rocksdb/db.h>

#include <chrono>
#include <thread>

#include "base/mutex.h"

namespace sightline::index {

class Resumer {
 public:
  explicit Resumer(rocksdb::DB& db) : db_(db) {}
  ~Resumer();
  Resumer(const Resumer&) = delete;
  Resumer& operator=(const Resumer&) = delete;

  // OK when writes may go on. TimedOut when that is not decided after `patience`; it goes on being tried.
  rocksdb::Status Resume(std::chrono::milliseconds patience);

 private:
  void Run();

  rocksdb::DB& db_;
  base::Mutex mutex_;
  base::CondVar changed_;
  bool running_ ABSL_GUARDED_BY(mutex_) = false;
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  rocksdb::Status result_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_STORE_RESUME_H_
