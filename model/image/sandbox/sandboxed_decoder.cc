#include "model/image/sandbox/sandboxed_decoder.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <climits>
#include <csignal>
#include <optional>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/line_budget.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/status.h"
#include "model/image/memory.h"
#include "model/image/orient.h"
#include "model/image/sandbox/helper_link.h"
#include "model/image/sandbox/spawner_link.h"

namespace sightline::image {
namespace {

uint64_t WholePages(int64_t bytes) {
  constexpr int64_t kPage = 1 << 16;  // the largest of the architectures this runs on
  return static_cast<uint64_t>((bytes + kPage - 1) / kPage * kPage);
}

absl::Status Crashed(std::optional<int> signal) {
  // A codec dies of signals of its own; this one comes from outside, and so does the end of the spawner. Another try
  // may go well.
  if (!signal.has_value() || *signal == SIGKILL) {
    return base::RetryableError(absl::StatusCode::kUnavailable, "DECODER_ENDED",
                                "the image's decoder was ended from outside. Try again after the delay given.",
                                absl::Milliseconds(100));
  }
  const std::string how = *signal == 0 ? "it ended by itself" : absl::StrCat("signal ", *signal);
  return base::InvalidArgument(
      kImageCrashedDecoder,
      absl::StrCat("image crashed its decoder (", how, "). Encode it again, or send another one."), {{"actual", how}});
}

absl::Status TookTooLong(absl::Duration time) {
  return base::InvalidArgument(kImageTookTooLong,
                               absl::StrCat("image took longer than ", absl::FormatDuration(time),
                                            " to decode, the limit. Resize it, or raise --decode_timeout."),
                               {{"limit", absl::FormatDuration(time)}});
}

// Why a helper cannot be replaced is the operator's to know, and is in the log.
absl::Status NoHelper() {
  return base::RetryableError(absl::StatusCode::kUnavailable, "DECODER_UNAVAILABLE",
                              "no image decoder can be started. Try again after the delay given; if it lasts, ask the "
                              "server's operator to look at its log.",
                              absl::Seconds(1));
}

class SandboxedDecoderImpl final : public SandboxedDecoder {
 public:
  explicit SandboxedDecoderImpl(const Options& options) : options_(options) {}

  absl::Status Open() {
    SIGHTLINE_ASSIGN_OR_RETURN(spawner_, SpawnerLink::Start(options_.program));
    SharedLayout layout;
    layout.input_bytes = WholePages(options_.limits.max_encoded_bytes);
    layout.output_bytes = WholePages(4 * options_.limits.max_pixels);
    layout.max_pixels = options_.limits.max_pixels;
    base::MutexLock lock(mutex_);
    for (int i = 0; i < options_.helpers; ++i) {
      helpers_.push_back(std::make_unique<HelperLink>(spawner_.get(), layout));
      SIGHTLINE_RETURN_IF_ERROR(helpers_.back()->Restart());
      pids_.push_back(helpers_.back()->pid());
      free_.push_back(static_cast<size_t>(i));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<Image> Decode(absl::string_view encoded, const Limits& limits, const DecodeOptions& options) override {
    SIGHTLINE_ASSIGN_OR_RETURN(const Header header, ReadHeader(encoded, Within(limits)));
    SIGHTLINE_RETURN_IF_ERROR(CheckMemory(header, encoded.size(), options.wanted_side));
    const size_t index = TakeHelper();
    absl::StatusOr<Image> image = DecodeWith(*helpers_[index], encoded, header, limits, options.wanted_side);
    ReturnHelper(index);
    return image;
  }

  bool limits_memory() const override { return true; }

  DecoderRestarts restarts() const override { return {crashes_.load(), timeouts_.load()}; }

  void OnRestart(std::function<void(absl::string_view)> callback) override { on_restart_ = std::move(callback); }

  std::vector<pid_t> helpers() const override {
    base::MutexLock lock(mutex_);
    std::vector<pid_t> running;
    std::copy_if(pids_.begin(), pids_.end(), std::back_inserter(running), [](pid_t pid) { return pid > 0; });
    return running;
  }

 private:
  // Shared memory holds no more.
  Limits Within(Limits limits) const {
    limits.max_encoded_bytes = std::min(limits.max_encoded_bytes, options_.limits.max_encoded_bytes);
    limits.max_pixels = std::min(limits.max_pixels, options_.limits.max_pixels);
    return limits;
  }

  size_t TakeHelper() {
    base::MutexLock lock(mutex_);
    while (free_.empty()) returned_.Wait(mutex_);
    const size_t index = free_.back();
    free_.pop_back();
    return index;
  }

  void ReturnHelper(size_t index) {
    base::MutexLock lock(mutex_);
    pids_[index] = helpers_[index]->pid();
    free_.push_back(index);
    returned_.NotifyOne();
  }

  absl::StatusOr<Image> DecodeWith(HelperLink& helper, absl::string_view encoded, const Header& header,
                                   const Limits& limits, int wanted_side) {
    if (!helper.Running()) {
      // It ended while it was idle, or could not be replaced when it ended.
      if (helper.pid() > 0) Count("crash");
      if (const absl::Status restarted = helper.Restart(); !restarted.ok()) {
        base::Log(base::Severity::kError, "no image decoder can be started",
                  {{"error", std::string(restarted.message())}});
        return NoHelper();
      }
    }
    const auto forget = absl::MakeCleanup([&helper, bytes = encoded.size(), pixels = OutputBytes(header, wanted_side)] {
      helper.Forget(bytes, static_cast<size_t>(pixels));
    });
    absl::Status status;
    std::optional<int> signal;
    switch (helper.Run(encoded, limits, wanted_side, options_.time, &status, &signal)) {
      case HelperLink::End::kAnswered: break;
      case HelperLink::End::kDied: return Replace(helper, "crash", encoded, header, signal, Crashed(signal));
      case HelperLink::End::kTimedOut:
        return Replace(helper, "timeout", encoded, header, signal, TookTooLong(options_.time));
    }
    SIGHTLINE_RETURN_IF_ERROR(status);
    // Sizes are those computed here from the header: a helper is not believed more than a caller.
    const PixelSize size = ReducedSize(header, wanted_side);
    Image image{size.width, size.height, {}, header.width, header.height};
    if (Transposes(header.orientation)) {
      std::swap(image.width, image.height);
      std::swap(image.original_width, image.original_height);
    }
    const uint8_t* const pixels = helper.pixels();
    if (Turns(header.orientation)) {
      image.rgb.resize(size.pixels() * 3);
      CopyUpright(pixels, size.width, size.height, header.orientation, image.rgb.data());
    } else {
      image.rgb.assign(pixels, pixels + size.pixels() * 3);
    }
    return image;
  }

  void Count(absl::string_view reason) {
    ++(reason == "crash" ? crashes_ : timeouts_);
    if (on_restart_) on_restart_(reason);
  }

  absl::Status Replace(HelperLink& helper, const char* reason, absl::string_view encoded, const Header& header,
                       std::optional<int> signal, absl::Status answer) {
    Count(reason);
    const absl::Status restarted = helper.Restart();
    if (!lines_.Take()) return answer;
    base::Log(base::Severity::kWarning, "image decoder replaced",
              {{"reason", reason},
               {"signal", signal.has_value() ? absl::StrCat(*signal) : "unknown"},
               {"format", std::string(MimeType(header.format))},
               {"size", absl::StrCat(header.width, "x", header.height)},
               {"bytes", absl::StrCat(encoded.size())},
               {"restart", std::string(restarted.ok() ? "ok" : restarted.message())}});
    return answer;
  }

  // Somebody who can crash a codec can do it hundreds of times a second; Count() has them all.
  static constexpr int kLinesPerSecond = 10;

  const Options options_;
  base::LineBudget lines_{base::Clock::Real(), kLinesPerSecond};
  std::unique_ptr<SpawnerLink> spawner_;
  std::vector<std::unique_ptr<HelperLink>> helpers_;  // each is used by whoever took its index
  std::function<void(absl::string_view)> on_restart_;
  std::atomic<int64_t> crashes_ = 0;
  std::atomic<int64_t> timeouts_ = 0;
  mutable base::Mutex mutex_;
  base::CondVar returned_;
  std::vector<size_t> free_ ABSL_GUARDED_BY(mutex_);
  std::vector<pid_t> pids_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::StatusOr<std::unique_ptr<SandboxedDecoder>> SandboxedDecoder::Start(const Options& options) {
  auto decoder = std::make_unique<SandboxedDecoderImpl>(options);
  SIGHTLINE_RETURN_IF_ERROR(decoder->Open());
  return std::unique_ptr<SandboxedDecoder>(std::move(decoder));
}

std::string SandboxedDecoder::DefaultProgram() {
  char path[PATH_MAX] = {};
  const ssize_t size = ::readlink("/proc/self/exe", path, sizeof(path) - 1);
  const std::string own(path, size > 0 ? static_cast<size_t>(size) : 0);
  const size_t slash = own.rfind('/');
  return absl::StrCat(slash == std::string::npos ? "." : own.substr(0, slash), "/sightline-decoder");
}

}  // namespace sightline::image
