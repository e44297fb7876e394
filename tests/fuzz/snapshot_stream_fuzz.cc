// Any bytes as the stream of a snapshot that is uploaded: the first says how it is cut, the next two how long its
// manifest is, which gets a right checksum and a right header. What is refused leaves nothing.
#include <algorithm>
#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/sha256.h"
#include "index/store/codec.h"
#include "index/store/snapshot_stream.h"
#include "tests/fuzz/fuzz_check.h"
#include "tests/support/temp_folder.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sightline;  // NOLINT(google-build-using-namespace): a program of one function
  if (size < 3) return 0;
  static const testing::TempFolder folder;
  const std::string work = folder.Path("work");
  const absl::string_view rest = testing::View(data + 3, size - 3);
  // Its checksum has the magic number as key.
  constexpr absl::string_view kMagic = "SLSNAP\r\n";
  std::string manifest(rest.substr(0, data[1] + 256U * data[2]));
  index::SealValue(kMagic, &manifest);
  manifest.insert(0, kMagic.data(), kMagic.size());
  std::string stream = testing::Little("SLSTREAM", {1, static_cast<uint32_t>(manifest.size())});
  absl::StrAppend(&stream, manifest, rest.substr(std::min<size_t>(rest.size(), data[1] + 256U * data[2])));
  const std::string sha256 = base::Sha256Hex(manifest);
  {
    index::SnapshotStreamWriter writer(work, sha256, [](const std::string&, const std::string&) {
      return absl::StatusOr<index::SnapshotInfo>(index::SnapshotInfo());
    });
    const size_t step = 1 + data[0];
    absl::Status status;
    for (size_t at = 0; at < stream.size() && status.ok(); at += step)
      status = writer.Append(absl::string_view(stream).substr(at, step));
    testing::CheckAnswer(status);
    testing::CheckAnswer(writer.Finish().status());
  }
  testing::Expect(!std::filesystem::exists(work));
  return 0;
}
