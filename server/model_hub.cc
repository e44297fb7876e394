#include "server/model_hub.h"

#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "model/image/decode.h"
#include "model/image/preview.h"

namespace sightline::server {
namespace {

constexpr int kPreviewSide = 256;
constexpr int kPreviewQuality = 80;

// Gathers the embeddings of the crops of one image; the last one to come answers for all.
class Gather {
 public:
  Gather(size_t count, EmbedResult result, ModelHub::EmbedDone done)
      : left_(count), result_(std::move(result)), done_(std::move(done)) {
    result_.embeddings.resize(count);  // alone here: the object is not shared yet
  }

  void Set(size_t i, absl::StatusOr<model::Embedding> embedding) {
    absl::StatusOr<EmbedResult> answer;
    {
      base::MutexLock lock(mutex_);
      if (embedding.ok()) {
        result_.embeddings[i] = *std::move(embedding);
      } else if (status_.ok()) {
        status_ = embedding.status();
      }
      if (--left_ > 0) return;
      if (status_.ok()) {
        answer = std::move(result_);
      } else {
        answer = status_;
      }
    }
    done_(std::move(answer));
  }

 private:
  base::Mutex mutex_;
  size_t left_ ABSL_GUARDED_BY(mutex_);
  EmbedResult result_ ABSL_GUARDED_BY(mutex_);
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  const ModelHub::EmbedDone done_;
};

// The side to decode at so that the image, or each of its crops, still has the pixels the model wants.
int WantedSide(const EmbedJob& job, const model::Model& model, const image::Header& header) {
  const bool turned = header.orientation > 4;  // boxes are of the upright image
  const int image_width = turned ? header.height : header.width;
  const int image_height = turned ? header.width : header.height;
  const double longest = std::max(image_width, image_height);
  double side = model.wanted_side(image_width, image_height);
  for (const image::CropBox& crop : job.crops) {
    double width = crop.x1 - crop.x0;
    double height = crop.y1 - crop.y0;
    if (crop.unit == image::CropBox::Unit::kFraction) {
      width *= image_width;
      height *= image_height;
    }
    // A crop that is no box is refused later, with a sentence; here it only must not divide by zero.
    if (!(width >= 1 && height >= 1) || width > 1e6 || height > 1e6) return 0;
    const double wanted = model.wanted_side(static_cast<int>(width), static_cast<int>(height));
    side = std::max(side, wanted * longest / std::max(width, height));
  }
  return side < 1e5 ? static_cast<int>(side) : 0;
}

}  // namespace

ModelHub::ModelHub(const Limits& limits, int decode_threads, Metrics& metrics)
    : limits_(limits),
      metrics_(metrics),
      decode_pool_({.name = "decode",
                    .threads = decode_threads,
                    .max_queue = static_cast<size_t>(limits.max_queue),
                    .on_thread_start = {}}) {}

void ModelHub::Add(std::unique_ptr<model::Model> model) {
  const model::ModelInfo info = model->info();
  Batcher::Options options;
  options.max_batch = limits_.max_batch;
  options.max_delay = limits_.max_batch_delay;
  options.max_queue = static_cast<size_t>(limits_.max_queue);
  options.on_batch = [this, name = info.name](int size, double) { metrics_.ObserveBatch(name, size); };
  batchers_[info.name] = std::make_unique<Batcher>(std::move(model), std::move(options));
  if (default_model_.empty()) default_model_ = info.name;
  metrics_.SetModelLoaded(info.name, info.untrained, true);
}

absl::StatusOr<Batcher*> ModelHub::FindBatcher(const std::string& name) const {
  const auto it = batchers_.find(name.empty() ? default_model_ : name);
  if (it != batchers_.end()) return it->second.get();
  if (batchers_.empty()) {
    return base::FailedPrecondition("NO_MODEL_LOADED",
                                    "this server has no model loaded. Send a descriptor instead of an image, or start "
                                    "the server with --models.");
  }
  const std::string names =
      absl::StrJoin(batchers_, ", ", [](std::string* out, const auto& entry) { absl::StrAppend(out, entry.first); });
  return base::FailedPrecondition("MODEL_NOT_LOADED",
                                  absl::StrCat("model '", name, "' is not loaded; loaded are: ", names,
                                               ". Load it with --models, or use one of these."),
                                  {{"model", name}});
}

absl::StatusOr<const model::ModelInfo*> ModelHub::Find(const std::string& name) const {
  SIGHTLINE_ASSIGN_OR_RETURN(const Batcher* batcher, FindBatcher(name));
  return &batcher->model().info();
}

std::vector<const model::ModelInfo*> ModelHub::List() const {
  std::vector<const model::ModelInfo*> infos;
  for (const auto& [name, batcher] : batchers_) infos.push_back(&batcher->model().info());
  return infos;
}

size_t ModelHub::model_queue_depth() const {
  size_t depth = 0;
  for (const auto& [name, batcher] : batchers_) depth += batcher->queue_depth();
  return depth;
}

void ModelHub::Embed(EmbedJob job, EmbedDone done) {
  const absl::StatusOr<Batcher*> batcher = FindBatcher(job.model);
  if (!batcher.ok()) return done(batcher.status());
  // What the header already says is answered here: a bad image never takes a place in the queue.
  const absl::StatusOr<image::Header> header = image::ReadHeader(job.image, limits_.image);
  if (!header.ok()) return done(header.status());
  auto shared_done = std::make_shared<EmbedDone>(std::move(done));
  const bool accepted = decode_pool_.TrySubmit(
      [this, job = std::move(job), batcher = *batcher, shared_done] { DecodeAndSubmit(job, batcher, *shared_done); });
  if (!accepted) {
    metrics_.CountRejected("decode_queue");
    (*shared_done)(base::RetryableError(
        absl::StatusCode::kResourceExhausted, "DECODE_QUEUE_FULL",
        absl::StrCat(limits_.max_queue,
                     " images wait to be decoded, the limit. Try again after the delay given, or raise --max_queue."),
        absl::Milliseconds(250), {{"limit", absl::StrCat(limits_.max_queue)}}));
  }
}

void ModelHub::DecodeAndSubmit(const EmbedJob& job, Batcher* batcher, EmbedDone done) {
  if (absl::Status status = job.request->Check(); !status.ok()) return done(status);
  std::vector<model::PreparedImage> prepared;
  EmbedResult result;
  {
    StageTimer timer(*job.request, "decode");
    const absl::StatusOr<image::Header> header = image::ReadHeader(job.image, limits_.image);
    if (!header.ok()) return done(header.status());
    const absl::StatusOr<image::Image> image =
        image::Decode(job.image, limits_.image, {.wanted_side = WantedSide(job, batcher->model(), *header)});
    if (!image.ok()) return done(image.status());
    result.width = image->original_width;
    result.height = image->original_height;
    result.mime_type = std::string(image::MimeType(header->format).data(), image::MimeType(header->format).size());
    if (job.want_preview) {
      absl::StatusOr<std::string> preview = image::MakePreview(*image, kPreviewSide, kPreviewQuality);
      if (!preview.ok()) return done(preview.status());
      result.preview = *std::move(preview);
    }
    const size_t count = std::max<size_t>(1, job.crops.size());
    for (size_t i = 0; i < count; ++i) {
      absl::StatusOr<model::PreparedImage> one =
          batcher->model().Prepare(*image, job.crops.empty() ? std::nullopt : std::optional(job.crops[i]));
      if (!one.ok()) return done(one.status());
      prepared.push_back(*std::move(one));
    }
  }
  const auto gather = std::make_shared<Gather>(prepared.size(), std::move(result), std::move(done));
  for (size_t i = 0; i < prepared.size(); ++i) {
    batcher->Submit(job.request, std::move(prepared[i]), job.priority,
                    [this, gather, i](absl::StatusOr<model::Embedding> embedding) {
                      if (absl::IsResourceExhausted(embedding.status())) metrics_.CountRejected("model_queue");
                      gather->Set(i, std::move(embedding));
                    });
  }
}

}  // namespace sightline::server
