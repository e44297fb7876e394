// A device with memory of its own that scores results as TransportQuery does: tokens stay there from one query to the
// next, results are scored in batches. card_transport.h has the one of CUDA; where there is none, what would use it has
// a null pointer.
//
// Threading: thread-safe; a device serves one call after the other. Ownership: queries and results are only looked at
// during the call. Failure: INVALID_ARGUMENT as of TransportQuery. Everything else (no memory left there, a card that
// failed) is the device's own trouble, which it has logged and counted: score on the CPU then.
//
//   const absl::StatusOr<std::vector<std::optional<TransportScore>>> scores = device->Score(query, results);
//   if (!scores.ok()) return query.Score(results);
#ifndef SIGHTLINE_INDEX_RERANK_TRANSPORT_DEVICE_H_
#define SIGHTLINE_INDEX_RERANK_TRANSPORT_DEVICE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "index/rerank/transport.h"

namespace sightline::index::rerank {

// Since the device was opened.
struct TransportDeviceStats {
  int64_t scored = 0;       // pairs, on the device
  int64_t left_to_cpu = 0;  // pairs that it has no score for: out of float32's range, or too large
  int64_t uploads = 0;      // of an image's tokens
  int64_t found = 0;        // images whose tokens were there already
  int64_t evicted = 0;      // images whose tokens made room for others
  int64_t failures = 0;     // calls that ended for the device's own trouble
  int64_t images = 0;       // whose tokens are there now
  size_t bytes_used = 0;    // now
  size_t bytes = 0;         // that it may use
};

class TransportDevice {
 public:
  virtual ~TransportDevice() = default;

  // What query.Score(results) gives, to 1e-4; nullopt for what is left to the CPU: pairs out of float32's range, too
  // large grids, and options that need double precision or look at all results together (kReference). The tokens of
  // results that have a name of their own (PatchTokens::stored_as) stay on the device while there is room, and those
  // used last the longest.
  virtual absl::StatusOr<std::vector<std::optional<TransportScore>>> Score(const TransportQuery& query,
                                                                           absl::Span<const Patches> results) = 0;

  virtual TransportDeviceStats Stats() const = 0;
};

}  // namespace sightline::index::rerank

#endif  // SIGHTLINE_INDEX_RERANK_TRANSPORT_DEVICE_H_
