// ModelHub: the models a server has loaded, each with its batcher, and the way from image bytes to embeddings.
//
// Threading: all methods may be called from any thread once the models are added.
// Ownership: owns models, batchers and the decode pool.
// Failure: FAILED_PRECONDITION when a model is not loaded; what decoding, preparing or the model refuse otherwise.
//
//   hub.Embed({.request = request, .model = "dtop_tiny", .image = bytes, ...},
//             [](absl::StatusOr<EmbedResult> result) { ... });
#ifndef SIGHTLINE_SERVER_MODEL_HUB_H_
#define SIGHTLINE_SERVER_MODEL_HUB_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/thread_pool.h"
#include "model/image/geometry.h"
#include "model/model.h"
#include "server/batcher.h"
#include "server/limits.h"
#include "server/metrics.h"

namespace sightline::server {

// One image to embed, whole or in crops.
struct EmbedJob {
  RequestPtr request;
  std::string model;                  // empty: the default model
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

class ModelHub {
 public:
  using EmbedDone = std::function<void(absl::StatusOr<EmbedResult>)>;

  ModelHub(const Limits& limits, int decode_threads, Metrics& metrics);

  // The first model added is the default one. Not to be called while requests run.
  void Add(std::unique_ptr<model::Model> model);

  // `name` empty: the default model.
  absl::StatusOr<const model::ModelInfo*> Find(const std::string& name) const;

  // By name.
  std::vector<const model::ModelInfo*> List() const;
  const std::string& default_model() const { return default_model_; }

  // `done` is called once, from any thread.
  void Embed(EmbedJob job, EmbedDone done);

  size_t decode_queue_depth() const { return decode_pool_.queue_depth(); }
  size_t model_queue_depth() const;

 private:
  absl::StatusOr<Batcher*> FindBatcher(const std::string& name) const;
  void DecodeAndSubmit(const EmbedJob& job, Batcher* batcher, EmbedDone done);

  const Limits& limits_;
  Metrics& metrics_;
  std::string default_model_;
  std::map<std::string, std::unique_ptr<Batcher>> batchers_;
  base::ThreadPool decode_pool_;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_MODEL_HUB_H_
