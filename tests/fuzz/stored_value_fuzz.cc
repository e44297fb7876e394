// Any bytes as what a data directory holds: the first byte says which value, the second whether its checksum is made
// right, so that what is behind the checksum is reached.
#include <string>

#include "absl/strings/str_cat.h"
#include "index/store/codec.h"
#include "index/store/keys.h"
#include "index/store/log_tail.h"
#include "index/store/record_codec.h"
#include "index/store/segment_manifest.h"
#include "index/store/small_codec.h"
#include "index/store/snapshot_manifest.h"
#include "index/store/spaces_file.h"
#include "index/store/token_codec.h"
#include "tests/fuzz/fuzz_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sightline;         // NOLINT(google-build-using-namespace): a program of one function
  using namespace sightline::index;  // NOLINT(google-build-using-namespace)
  if (size < 2) return 0;
  const absl::string_view rest = testing::View(data + 2, size - 2);
  const auto value = [&](absl::string_view key) {
    std::string bytes(rest);
    if (data[1] % 2 == 0) SealValue(key, &bytes);
    return bytes;
  };
  const std::string key = RecordKey(7);
  constexpr absl::string_view kMagic = "SLSNAP\r\n";  // of a snapshot's manifest, and the key of its checksum
  switch (data[0] % 14) {
    case 0: testing::CheckAnswer(DecodeConfig(kConfigKey, value(kConfigKey)).status()); break;
    case 1: testing::CheckAnswer(DecodeCounters(kCountersKey, value(kCountersKey)).status()); break;
    case 2: testing::CheckAnswer(DecodeConfidence(kConfidenceKey, value(kConfidenceKey)).status()); break;
    case 3: testing::CheckAnswer(DecodeRecordKey("id", value("id")).status()); break;
    case 4: testing::CheckAnswer(DecodeRequest("r1", value("r1")).status()); break;
    case 5: testing::CheckAnswer(DecodeRecord(key, value(key)).status()); break;
    case 6: testing::CheckAnswer(DecodeDescriptor(key, value(key), 8).status()); break;
    case 7: testing::CheckAnswer(DecodeImage(key, value(key)).status()); break;
    case 8: testing::CheckAnswer(DecodeTokens(key, value(key)).status()); break;
    case 9: testing::CheckAnswer(DecodeSegmentManifest(kSegmentsKey, value(kSegmentsKey)).status()); break;
    case 10: testing::CheckAnswer(DecodeSpaces(value("spaces")).status()); break;
    case 11: {
      const auto manifest = DecodeSnapshotManifest(absl::StrCat(kMagic, value(kMagic)));
      testing::CheckAnswer(manifest.status());
      if (!manifest.ok()) break;
      for (const SnapshotFile& file : manifest->files) testing::Expect(IsSnapshotPath(file.path));
      break;
    }
    case 12: {
      // The log of RocksDB: where it would be cut lies inside of it.
      const auto end = EndBeforeHoles(rest, data[1] % 2 == 0);
      if (end) testing::Expect(*end <= rest.size());
      break;
    }
    default:
      ParseRecordKey(rest);
      ParseRequestTimeKey(rest);
      ParsePageToken(rest);
  }
  return 0;
}
