// The decoder that the options ask for: helper processes, or none.
//
// Threading: call it before anything else of the program runs, from the main thread. Failure: FAILED_PRECONDITION with
// what to do when helpers cannot be started.
#ifndef SIGHTLINE_SERVER_START_DECODER_H_
#define SIGHTLINE_SERVER_START_DECODER_H_

#include <memory>

#include "absl/status/statusor.h"
#include "model/image/sandbox/sandboxed_decoder.h"
#include "server/options.h"

namespace sightline::server {

// Of the helper processes, where there are any.
image::SandboxedDecoder::Options DecoderOptions(const ServerOptions& options);

absl::StatusOr<std::unique_ptr<image::Decoder>> StartDecoder(const ServerOptions& options);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_START_DECODER_H_
