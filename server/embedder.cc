#include "server/embedder.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/status.h"
#include "model/image/memory.h"
#include "model/image/preview.h"

namespace sightline::server {
namespace {

constexpr int kPreviewSide = 256;
constexpr int kPreviewQuality = 80;

// Gathers the embeddings of the crops of one image; the last one to come answers for all.
class Gather {
 public:
  Gather(size_t count, EmbedResult result, Embedder::Done done)
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
  const Embedder::Done done_;
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

Embedder::Embedder(const Options& options, const Limits& limits, Metrics& metrics)
    : limits_(limits),
      metrics_(metrics),
      own_decoder_(options.decoder == nullptr ? image::MakeInProcessDecoder() : nullptr),
      decoder_(options.decoder == nullptr ? *own_decoder_ : *options.decoder),
      decode_budget_(limits.decode_memory_bytes),
      decode_pool_({.name = "decode",
                    .threads = options.decode_threads,
                    .max_queue = static_cast<size_t>(limits.max_queue),
                    .on_thread_start = {}}) {}

// What an image takes along through decoding. Members go in reverse order: the place is given back while its model is
// still there.
struct Embedder::Work {
  EmbedJob job;
  Done done;
  Batcher::Place place;
};

absl::StatusOr<Batcher::Place> Embedder::Admit(const EmbedJob& job) {
  const bool interactive = job.priority == Priority::kInteractive;
  if (interactive && decode_pool_.IsBehind(absl::ToChronoNanoseconds(limits_.max_queue_delay))) {
    metrics_.CountRejected("decode_queue");
    const absl::Duration wait = absl::Ceil(absl::FromChrono(decode_pool_.ExpectedWait()), absl::Milliseconds(1));
    return base::RetryableError(
        absl::StatusCode::kResourceExhausted, "DECODE_QUEUE_FULL",
        absl::StrCat("the image would wait about ", absl::FormatDuration(wait), " to be decoded; the limit is ",
                     absl::FormatDuration(limits_.max_queue_delay),
                     ". Try again after the delay given, or raise --decode_threads or --max_queue_delay."),
        std::max(wait, absl::Milliseconds(50)),
        {{"limit", absl::FormatDuration(limits_.max_queue_delay)}, {"actual", absl::FormatDuration(wait)}});
  }
  const int images = static_cast<int>(std::max<size_t>(1, job.crops.size()));
  absl::StatusOr<Batcher::Place> place = job.model->Reserve(*job.request, job.priority, images);
  if (absl::IsResourceExhausted(place.status())) metrics_.CountRejected("model_queue");
  if (base::GetErrorInfo(place.status()).reason == kDeadlineTooShort) metrics_.CountRejected("deadline");
  return place;
}

void Embedder::Embed(EmbedJob job, Done done) {
  // What the header already says is answered here: a bad image never takes a place in the queue. Nor does one that
  // would wait too long for the model once it is decoded: a refusal costs next to nothing.
  const absl::StatusOr<image::Header> header = image::ReadHeader(job.image, limits_.image);
  if (!header.ok()) return done(header.status());
  absl::StatusOr<Batcher::Place> place = Admit(job);
  if (!place.ok()) return done(place.status());
  const auto rank =
      job.priority == Priority::kInteractive ? base::ThreadPool::Rank::kNormal : base::ThreadPool::Rank::kLow;
  const base::Clock::Ticks begin = job.request->clock().Steady();
  const auto work = std::make_shared<Work>(Work{std::move(job), std::move(done), *std::move(place)});
  const bool accepted = decode_pool_.TrySubmit(
      [this, work, begin] {
        const Request& request = *work->job.request;
        work->job.request->AddStage("decode_queue", base::MillisecondsBetween(begin, request.clock().Steady()));
        DecodeAndSubmit(*work);
      },
      rank);
  if (!accepted) {
    metrics_.CountRejected("decode_queue");
    work->place = Batcher::Place();
    work->done(base::RetryableError(
        absl::StatusCode::kResourceExhausted, "DECODE_QUEUE_FULL",
        absl::StrCat(limits_.max_queue,
                     " images wait to be decoded, the limit. Try again after the delay given, or raise --max_queue."),
        absl::Milliseconds(250), {{"limit", absl::StrCat(limits_.max_queue)}}));
  }
}

int64_t Embedder::DecodeShare(const image::Header& header, size_t bytes, int wanted_side) const {
  const int64_t expected = image::DecodeMemory(header, bytes, wanted_side);
  if (decoder_.limits_memory()) return expected;
  // One that may take more than it should is decoded alone, where it could take all there is.
  return std::max(expected, std::min(decode_budget_.limit(), image::UnlimitedDecodeMemory(header, bytes, wanted_side)));
}

void Embedder::DecodeAndSubmit(Work& work) {
  const EmbedJob& job = work.job;
  const auto done = [&work](absl::Status status) {
    work.place = Batcher::Place();  // free by the time the caller knows
    work.done(std::move(status));
  };
  if (absl::Status status = job.request->Check(); !status.ok()) return done(status);
  std::vector<model::PreparedImage> prepared;
  EmbedResult result;
  {
    StageTimer timer(*job.request, "decode");
    const absl::StatusOr<image::Header> header = image::ReadHeader(job.image, limits_.image);
    if (!header.ok()) return done(header.status());
    const int wanted_side = WantedSide(job, job.model->model(), *header);
    // Held until the pixels are gone, at the end of this block.
    const absl::StatusOr<DecodeBudget::Share> memory =
        decode_budget_.Take(DecodeShare(*header, job.image.size(), wanted_side), *job.request);
    if (!memory.ok()) return done(memory.status());
    const absl::StatusOr<image::Image> image = decoder_.Decode(job.image, limits_.image, {.wanted_side = wanted_side});
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
      if (absl::Status status = job.request->Check(); !status.ok()) return done(status);
      absl::StatusOr<model::PreparedImage> one =
          job.model->model().Prepare(*image, job.crops.empty() ? std::nullopt : std::optional(job.crops[i]));
      if (!one.ok()) return done(one.status());
      prepared.push_back(*std::move(one));
    }
  }
  const auto gather = std::make_shared<Gather>(prepared.size(), std::move(result), std::move(work.done));
  for (size_t i = 0; i < prepared.size(); ++i) {
    // The model stays until it has answered.
    work.place.batcher().Submit(work.place, job.request, std::move(prepared[i]),
                                [gather, i, model = job.model](absl::StatusOr<model::Embedding> embedding) {
                                  gather->Set(i, std::move(embedding));
                                });
  }
}

}  // namespace sightline::server
