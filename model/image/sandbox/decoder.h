// Decoder: where images are decoded. In this process, or in helper processes that a broken image can only take with it.
//
// Threading: all methods may be called from any thread. Ownership: the caller's. Failure: what Decode of
// model/image/decode.h refuses; a helper that dies or hangs over an image adds INVALID_ARGUMENT for that image.
//
//   std::unique_ptr<Decoder> decoder = MakeInProcessDecoder();
//   SIGHTLINE_ASSIGN_OR_RETURN(Image image, decoder->Decode(bytes, limits, {.wanted_side = 448}));
#ifndef SIGHTLINE_MODEL_IMAGE_SANDBOX_DECODER_H_
#define SIGHTLINE_MODEL_IMAGE_SANDBOX_DECODER_H_

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/image/decode.h"
#include "model/image/image.h"

namespace sightline::image {

// Helpers that were replaced, by why.
struct DecoderRestarts {
  int64_t crash = 0;
  int64_t timeout = 0;
};

class Decoder {
 public:
  virtual ~Decoder() = default;

  // Blocks until the image is there or refused.
  virtual absl::StatusOr<Image> Decode(absl::string_view encoded, const Limits& limits,
                                       const DecodeOptions& options) = 0;

  // Whether something limits the memory that a codec takes.
  virtual bool limits_memory() const = 0;

  virtual DecoderRestarts restarts() const = 0;

  // Called with "crash" or "timeout" for each from now on; not while Decode runs.
  virtual void OnRestart(std::function<void(absl::string_view reason)> callback) = 0;
};

// Decodes on the calling thread.
std::unique_ptr<Decoder> MakeInProcessDecoder();

}  // namespace sightline::image

#endif  // SIGHTLINE_MODEL_IMAGE_SANDBOX_DECODER_H_
