// Embedder: the way from the bytes of an image to its embeddings. The header is read on the caller's thread, the image
// is decoded and prepared on one of the embedder's, within one budget of memory for all, and the model's batcher does
// the rest.
//
// Threading: all methods may be called from any thread. Ownership: owns its threads, and what it was given until it has
// answered; destroy it after the models. Failure: what the header, the queues, decoding, preparing or the model refuse.
//
//   Embedder embedder({.decode_threads = 2}, limits, metrics);
//   embedder.Embed({.request = request, .model = model, .image = bytes, ...},
//                  [](absl::StatusOr<EmbedResult> result) { ... });
#ifndef SIGHTLINE_SERVER_EMBEDDER_H_
#define SIGHTLINE_SERVER_EMBEDDER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/thread_pool.h"
#include "model/image/decode.h"
#include "model/image/geometry.h"
#include "model/image/sandbox/decoder.h"
#include "model/model.h"
#include "server/batcher.h"
#include "server/decode_budget.h"
#include "server/limits.h"
#include "server/metrics.h"
#include "server/request.h"
#include "server/served_model.h"

namespace sightline::server {

// One image to embed, whole or in crops.
struct EmbedJob {
  RequestPtr request;
  ModelPtr model;
  absl::string_view image;            // encoded; must stay valid until the answer
  std::vector<image::CropBox> crops;  // empty: the whole image
  Priority priority = Priority::kInteractive;
  bool want_preview = false;
};

struct EmbedResult {
  std::vector<model::Embedding> embeddings;  // one per crop, or one
  int width = 0;                             // of the image after orientation
  int height = 0;
  std::string mime_type;
  std::string preview;  // a small JPEG, if asked for
};

class Embedder {
 public:
  using Done = std::function<void(absl::StatusOr<EmbedResult>)>;

  struct Options {
    int decode_threads = 2;
    image::Decoder* decoder = nullptr;  // must outlive the embedder; null: its own threads decode
  };

  // `limits` and `metrics` must outlive the embedder.
  Embedder(const Options& options, const Limits& limits, Metrics& metrics);
  Embedder(const Embedder&) = delete;
  Embedder& operator=(const Embedder&) = delete;

  // `done` is called once, from any thread.
  void Embed(EmbedJob job, Done done);

  // Memory taken by images that are being decoded, and what they may take together.
  int64_t decode_memory() const { return decode_budget_.in_use(); }

  size_t decode_queue_depth() const { return decode_pool_.queue_depth(); }

 private:
  struct Work;
  // A place for the job with its model, or why it is refused.
  absl::StatusOr<Batcher::Place> Admit(const EmbedJob& job);
  // What an image takes of decode_budget_.
  int64_t DecodeShare(const image::Header& header, size_t bytes, int wanted_side) const;
  void DecodeAndSubmit(Work& work);

  const Limits& limits_;
  Metrics& metrics_;
  const std::unique_ptr<image::Decoder> own_decoder_;
  image::Decoder& decoder_;
  DecodeBudget decode_budget_;
  base::ThreadPool decode_pool_;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_EMBEDDER_H_
