#include "server/start_decoder.h"

#include <string>
#include <utility>

#include "base/status.h"
#include "model/image/sandbox/sandboxed_decoder.h"

namespace sightline::server {

absl::StatusOr<std::unique_ptr<image::Decoder>> StartDecoder(const ServerOptions& options) {
  if (options.decode_isolation == DecodeIsolation::kNone) return image::MakeInProcessDecoder();
  SIGHTLINE_ASSIGN_OR_RETURN(std::unique_ptr<image::Decoder> decoder,
                             image::SandboxedDecoder::Start({.program = options.decoder_program.empty()
                                                                            ? image::SandboxedDecoder::DefaultProgram()
                                                                            : options.decoder_program,
                                                             .helpers = options.decode_threads,
                                                             .limits = options.limits.image,
                                                             .time = options.decode_timeout}));
  return decoder;
}

}  // namespace sightline::server
