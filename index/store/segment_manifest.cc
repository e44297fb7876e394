#include "index/store/segment_manifest.h"

#include <set>

#include "absl/strings/str_format.h"
#include "base/status.h"
#include "index/store/codec.h"

namespace sightline::index {
namespace {

constexpr uint8_t kSegmentManifestFormat = 1;
constexpr absl::string_view kSegmentManifestName = "segment list";

// The least that a chunk's entry takes; bounds what a damaged count can allocate.
constexpr size_t kChunkEntryBytes = 40;

void PutChunk(Encoder& encoder, const ChunkFileInfo& chunk) {
  encoder.U64(chunk.number);
  encoder.U32(chunk.rows);
  encoder.U64(chunk.first_key);
  encoder.U64(chunk.last_key);
  encoder.U64(chunk.bytes);
  encoder.U32(chunk.checksum);
}

ChunkFileInfo TakeChunk(Decoder& decoder) {
  ChunkFileInfo chunk;
  chunk.number = decoder.U64();
  chunk.rows = decoder.U32();
  chunk.first_key = decoder.U64();
  chunk.last_key = decoder.U64();
  chunk.bytes = decoder.U64();
  chunk.checksum = decoder.U32();
  return chunk;
}

void PutLinks(Encoder& encoder, const std::optional<LinksFileInfo>& links) {
  encoder.U8(links ? 1 : 0);
  if (!links) return;
  encoder.U64(links->number);
  encoder.U32(links->rows);
  encoder.U64(links->bytes);
  encoder.U32(links->checksum);
}

std::optional<LinksFileInfo> TakeLinks(Decoder& decoder) {
  if (decoder.U8() == 0) return std::nullopt;
  LinksFileInfo links;
  links.number = decoder.U64();
  links.rows = decoder.U32();
  links.bytes = decoder.U64();
  links.checksum = decoder.U32();
  return links;
}

absl::Status CheckOrder(const SegmentManifest& manifest) {
  uint64_t last_key = 0;
  std::set<uint64_t> numbers;
  const auto fresh = [&](uint64_t number) { return number < manifest.next_file && numbers.insert(number).second; };
  if (manifest.centroids && !fresh(manifest.centroids->number)) {
    return DamagedError(kSegmentManifestName, "it names a file twice");
  }
  for (const SegmentEntry& segment : manifest.segments) {
    for (const ChunkFileInfo& chunk : segment.chunks) {
      if (chunk.rows == 0 || chunk.first_key <= last_key || chunk.last_key < chunk.first_key) {
        return DamagedError(kSegmentManifestName, "its key ranges do not ascend");
      }
      last_key = chunk.last_key;
      if (!fresh(chunk.number)) return DamagedError(kSegmentManifestName, "it names a file twice");
    }
    if (segment.links && !fresh(segment.links->number)) {
      return DamagedError(kSegmentManifestName, "it names a file twice");
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::string EncodeSegmentManifest(absl::string_view key, const SegmentManifest& manifest) {
  Encoder encoder(kSegmentManifestFormat);
  encoder.U64(manifest.next_file);
  PutLinks(encoder, manifest.centroids);
  encoder.U32(static_cast<uint32_t>(manifest.segments.size()));
  for (const SegmentEntry& segment : manifest.segments) {
    encoder.U32(static_cast<uint32_t>(segment.chunks.size()));
    for (const ChunkFileInfo& chunk : segment.chunks) PutChunk(encoder, chunk);
    encoder.U8(segment.augmented ? 1 : 0);
    PutLinks(encoder, segment.links);
  }
  return std::move(encoder).Seal(key);
}

absl::StatusOr<SegmentManifest> DecodeSegmentManifest(absl::string_view key, absl::string_view value) {
  SIGHTLINE_ASSIGN_OR_RETURN(Decoder decoder, Decoder::Open(kSegmentManifestName, key, value, kSegmentManifestFormat));
  SegmentManifest manifest;
  manifest.next_file = decoder.U64();
  manifest.centroids = TakeLinks(decoder);
  const uint32_t segments = decoder.U32();
  for (uint32_t s = 0; s < segments && decoder.remaining() > 0; ++s) {
    SegmentEntry& segment = manifest.segments.emplace_back();
    const uint32_t chunks = decoder.U32();
    if (chunks > decoder.remaining() / kChunkEntryBytes) decoder.Fail();
    for (uint32_t c = 0; c < chunks && decoder.remaining() > 0; ++c) segment.chunks.push_back(TakeChunk(decoder));
    segment.augmented = decoder.U8() != 0;
    segment.links = TakeLinks(decoder);
  }
  if (manifest.segments.size() != segments) decoder.Fail();
  SIGHTLINE_RETURN_IF_ERROR(decoder.Finish());
  SIGHTLINE_RETURN_IF_ERROR(CheckOrder(manifest));
  return manifest;
}

std::string ChunkFileName(uint64_t number) { return absl::StrFormat("%06d.rows", number); }

std::string LinksFileName(uint64_t number) { return absl::StrFormat("%06d.links", number); }

std::string CentroidsFileName(uint64_t number) { return absl::StrFormat("%06d.centroids", number); }

}  // namespace sightline::index
