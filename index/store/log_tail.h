// The end of a log of RocksDB (a write-ahead log or a manifest) after a power loss.
//
// What was being written when the power went off reaches the disk in any order, sector by sector; one that did not
// reads as zeros. RocksDB drops a record that is cut off at the end of its log, but takes one with a hole in it for
// damage and does not open. That record was never synced, so nobody was told that it is there: it can be cut off as
// well.
//
// What tells a hole from damage to a record that somebody relies on: a record with a hole ends the log, a sector of it,
// or the part of one at either side of it, is zero, and no single flipped bit explains its checksum. Of a part of up to
// two bytes the checksum tells what was there: the record is then whole again.
//
// Threading: pure functions of the file system. Failure: Status.
#ifndef SIGHTLINE_INDEX_STORE_LOG_TAIL_H_
#define SIGHTLINE_INDEX_STORE_LOG_TAIL_H_

#include <rocksdb/env.h>

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sightline::index {

// What MendTornEnd has done to a log.
enum class TornEnd {
  kNone,    // it is whole, or damaged in a way that a power loss does not explain; `log` is of no use then
  kCut,     // a record with holes is gone from its end
  kFilled,  // its last record is whole again
};

// Mends what a power loss has left at the end of `log`. `one_batch`: whatever was not synced is one record, so that a
// sound one behind the hole means damage.
TornEnd MendTornEnd(std::string& log, bool one_batch);

// Where in the last block of a log a whole record begins whose size is damaged, so that it seems to go on behind the
// end of the log; nullopt when there is none. RocksDB takes such a one for a record that was being written when the
// power went off, and goes on without it and all that follows. One that really was has no size under which it is sound.
std::optional<size_t> HiddenRecord(absl::string_view last_block);

// DATA_LOSS when the newest logs of the RocksDB in `folder` end with such a record.
absl::Status CheckLogEnds(rocksdb::Env* env, const std::string& folder);

// Mends the ends of the newest logs of the RocksDB in `folder`. Whether there was something to mend.
absl::StatusOr<bool> MendTornLogs(rocksdb::Env* env, const std::string& folder);

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_STORE_LOG_TAIL_H_
