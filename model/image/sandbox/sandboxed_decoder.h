// SandboxedDecoder: a Decoder whose codecs run in helper processes without rights (see confine.h). An image that
// crashes its codec, or keeps it busy for too long, ends one helper, which is replaced at once.
//
// Start it before the process has threads and memory: it starts a small program that forks the helpers later.
//
// Threading: see Decoder; as many images are decoded at once as there are helpers, more wait. Ownership: owns the
// processes; they end with it, or with the process that owns it, however that ends.
// Failure: Start: FAILED_PRECONDITION with what to do. Decode: INVALID_ARGUMENT IMAGE_CRASHED_DECODER or
// IMAGE_TOOK_TOO_LONG for the image a helper was lost over, UNAVAILABLE when someone ended a helper from outside or
// none can be started.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(auto decoder, SandboxedDecoder::Start({.program = SandboxedDecoder::DefaultProgram(),
//                                                                     .helpers = 2, .limits = limits}));
#ifndef SIGHTLINE_MODEL_IMAGE_SANDBOX_SANDBOXED_DECODER_H_
#define SIGHTLINE_MODEL_IMAGE_SANDBOX_SANDBOXED_DECODER_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "model/image/sandbox/decoder.h"

namespace sightline::image {

// Reasons of Decode's failures that cost a helper.
inline constexpr char kImageCrashedDecoder[] = "IMAGE_CRASHED_DECODER";
inline constexpr char kImageTookTooLong[] = "IMAGE_TOOK_TOO_LONG";

class SandboxedDecoder : public Decoder {
 public:
  struct Options {
    std::string program;  // of sightline-decoder
    int helpers = 1;
    Limits limits = {};                      // the highest that Decode will be called with
    absl::Duration time = absl::Seconds(2);  // of a helper's processor, for one image
  };

  static absl::StatusOr<std::unique_ptr<SandboxedDecoder>> Start(const Options& options);

  // sightline-decoder in the folder of the running program.
  static std::string DefaultProgram();

  // The processes of the helpers that run now.
  virtual std::vector<pid_t> helpers() const = 0;
};

}  // namespace sightline::image

#endif  // SIGHTLINE_MODEL_IMAGE_SANDBOX_SANDBOXED_DECODER_H_
