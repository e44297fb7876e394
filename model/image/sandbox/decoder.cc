#include "model/image/sandbox/decoder.h"

namespace sightline::image {
namespace {

class InProcessDecoder final : public Decoder {
 public:
  absl::StatusOr<Image> Decode(absl::string_view encoded, const Limits& limits, const DecodeOptions& options) override {
    return image::Decode(encoded, limits, options);
  }
  bool limits_memory() const override { return false; }
  DecoderRestarts restarts() const override { return {}; }
  void OnRestart(std::function<void(absl::string_view reason)>) override {}
};

}  // namespace

std::unique_ptr<Decoder> MakeInProcessDecoder() { return std::make_unique<InProcessDecoder>(); }

}  // namespace sightline::image
