// IndexMany: what a bulk write takes and gives back. The write itself is Client::IndexMany.
//
// Threading: source and callback are called on the thread that called IndexMany, never at once.
// Failure: per item, in ItemOutcome::status.
#ifndef SIGHTLINE_CLIENT_CPP_INDEX_MANY_H_
#define SIGHTLINE_CLIENT_CPP_INDEX_MANY_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/cpp/retry.h"
#include "sightline/v1/index_service.pb.h"

namespace sightline::client {

// The next write, or nothing at the end. A request without a request_id gets a random one.
using ItemSource = std::function<std::optional<v1::IndexRequest>()>;

// How one write ended, after all its attempts.
struct ItemOutcome {
  std::string request_id;
  std::string id;  // the id asked for; where that was empty, the one the server generated
  absl::Status status;
  v1::IndexResponse response;  // on success
  int attempts = 0;
};

using ItemCallback = std::function<void(const ItemOutcome&)>;

struct IndexManyOptions {
  int max_in_flight = 32;                           // writes sent and not answered
  int64_t max_in_flight_bytes = int64_t{64} << 20;  // what they may hold of memory here; one write always goes
  RetryPolicy retry = {};                           // the waits between attempts, not their number
  // How long an item that is refused for now is sent again, and a server that is away is awaited. Not a number of
  // attempts: a server that starts refuses for as long as it loads its models.
  absl::Duration patience = absl::Minutes(2);
  // The connection is given up and begun anew when nothing is answered for so long.
  absl::Duration reply_timeout = absl::Seconds(60);
  // Asked about ten times a second; once true, nothing more is taken from the source, and what is in flight is awaited.
  std::function<bool()> stop = nullptr;
};

struct IndexManySummary {
  int64_t succeeded = 0;
  int64_t failed = 0;
  int64_t retries = 0;  // attempts beyond the first
  bool stopped = false;
};

}  // namespace sightline::client

#endif  // SIGHTLINE_CLIENT_CPP_INDEX_MANY_H_
