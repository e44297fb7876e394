#include "index/store/spaces_file.h"

#include <utility>

#include "base/status.h"
#include "index/store/codec.h"

namespace sightline::index {
namespace {

constexpr uint8_t kSpacesFormat = 1;
constexpr absl::string_view kSpacesKey = "spaces";

}  // namespace

std::string EncodeSpaces(const SpacesByName& spaces) {
  Encoder out(kSpacesFormat);
  out.U32(static_cast<uint32_t>(spaces.size()));
  for (const auto& [name, stored] : spaces) {
    out.Text(name);
    out.Text(stored.live_folder);
    out.Text(stored.other_folder);
    out.U8(stored.previous ? 1 : 0);
    out.I64(absl::ToUnixMicros(stored.drop_time));
    out.Text(stored.model);
    out.Text(stored.embedding_space);
    out.U32(static_cast<uint32_t>(stored.descriptor_dim));
    out.I64(stored.images);
  }
  return std::move(out).Seal(kSpacesKey);
}

absl::StatusOr<SpacesByName> DecodeSpaces(absl::string_view value) {
  SIGHTLINE_ASSIGN_OR_RETURN(Decoder in, Decoder::Open("spaces", kSpacesKey, value, kSpacesFormat));
  SpacesByName spaces;
  const uint32_t count = in.U32();
  for (uint32_t i = 0; i < count && in.remaining() > 0; ++i) {
    const std::string name = in.Text();
    StoredSpaces& stored = spaces[name];
    stored.live_folder = in.Text();
    stored.other_folder = in.Text();
    stored.previous = in.U8() != 0;
    stored.drop_time = absl::FromUnixMicros(in.I64());
    stored.model = in.Text();
    stored.embedding_space = in.Text();
    stored.descriptor_dim = static_cast<int>(in.U32());
    stored.images = in.I64();
  }
  if (spaces.size() != count) in.Fail();
  SIGHTLINE_RETURN_IF_ERROR(in.Finish());
  return spaces;
}

}  // namespace sightline::index
