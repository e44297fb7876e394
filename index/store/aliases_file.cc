#include "index/store/aliases_file.h"

#include <cstdint>
#include <utility>

#include "base/status.h"
#include "index/store/codec.h"

namespace sightline::index {
namespace {

constexpr uint8_t kAliasesFormat = 1;
constexpr absl::string_view kAliasesKey = "aliases";

}  // namespace

std::string EncodeAliases(const AliasMap& aliases) {
  Encoder out(kAliasesFormat);
  out.U32(static_cast<uint32_t>(aliases.size()));
  for (const auto& [alias, collection] : aliases) {
    out.Text(alias);
    out.Text(collection);
  }
  return std::move(out).Seal(kAliasesKey);
}

absl::StatusOr<AliasMap> DecodeAliases(absl::string_view value) {
  SIGHTLINE_ASSIGN_OR_RETURN(Decoder in, Decoder::Open("aliases", kAliasesKey, value, kAliasesFormat));
  AliasMap aliases;
  const uint32_t count = in.U32();
  for (uint32_t i = 0; i < count && in.remaining() > 0; ++i) {
    std::string alias = in.Text();
    aliases[std::move(alias)] = in.Text();
  }
  if (aliases.size() != count) in.Fail();
  SIGHTLINE_RETURN_IF_ERROR(in.Finish());
  return aliases;
}

}  // namespace sightline::index
