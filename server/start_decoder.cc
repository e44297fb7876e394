#include "server/start_decoder.h"

namespace sightline::server {

image::SandboxedDecoder::Options DecoderOptions(const ServerOptions& options) {
  return {
      .program = options.decoder_program.empty() ? image::SandboxedDecoder::DefaultProgram() : options.decoder_program,
      .helpers = options.decode_threads,
      .limits = options.limits.image,
      .time = options.limits.decode_timeout};
}

absl::StatusOr<std::unique_ptr<image::Decoder>> StartDecoder(const ServerOptions& options) {
  if (options.decode_isolation == DecodeIsolation::kNone) return image::MakeInProcessDecoder();
  return image::SandboxedDecoder::Start(DecoderOptions(options));
}

}  // namespace sightline::server
