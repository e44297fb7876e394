// Every limit the server holds callers to, in one place: GetServerInfo publishes them, flags set them.
#ifndef SIGHTLINE_SERVER_LIMITS_H_
#define SIGHTLINE_SERVER_LIMITS_H_

#include <algorithm>
#include <cstdint>

#include "absl/time/time.h"
#include "index/record.h"
#include "model/image/decode.h"
#include "server/live.h"

namespace sightline::server {

struct Limits {
  int max_message_bytes = 40 << 20;  // two images of 16 MiB and their envelope: Explain takes two
  image::Limits image;
  index::RecordLimits record;
  int max_top_k = 1000;
  int max_result_window = 10'000;  // offset + top_k
  int max_page_size = 1000;
  int max_delete_ids = 10'000;
  int max_query_parts = 16;
  int max_crops = 8;
  int max_connections = 10'000;  // of the main gRPC address, at once
  int max_connections_per_address = 5'000;
  int max_in_flight = 1024;       // requests in hand at once
  int max_stream_in_flight = 64;  // of one stream
  int max_queue = 256;            // images waiting for the model, of each priority
  int max_batch = 8;
  int max_models = 8;                                // loaded at once
  int64_t decode_memory_bytes = int64_t{1} << 30;    // of all images that are being decoded together
  absl::Duration decode_timeout = absl::Seconds(2);  // of a helper's processor, for one image
  Live<int64_t> memory_budget_bytes = 0;             // of all collections together; 0 for no limit
  int64_t grpc_memory_bytes = int64_t{512} << 20;    // of messages on their way in and replies on their way out
  int search_parallelism = 2;                        // threads that share one large search
  int build_threads = 1;                             // threads that seal, merge and build graphs
  absl::Duration max_batch_delay = absl::Milliseconds(2);
  absl::Duration max_queue_delay = absl::Milliseconds(250);  // that an interactive request waits for one queue
  absl::Duration default_deadline = absl::Seconds(60);
  absl::Duration max_deadline = absl::Hours(1);
  LiveDuration drain_grace = absl::Seconds(30);
  absl::Duration request_id_retention = absl::Hours(24);

  // The time that a request gets whose caller allows `asked`; InfiniteDuration where it does not say.
  absl::Duration TimeFor(absl::Duration asked) const {
    return asked == absl::InfiniteDuration() ? default_deadline : std::min(asked, max_deadline);
  }
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_LIMITS_H_
