// What the tests of snapshots share: a database with a collection of random records, and looks at its folders.
#ifndef SIGHTLINE_TESTS_INDEX_SNAPSHOT_FIXTURE_H_
#define SIGHTLINE_TESTS_INDEX_SNAPSHOT_FIXTURE_H_

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"
#include "tests/index/index_fixture.h"

namespace sightline::index {

class SnapshotTest : public IndexTest {
 protected:
  static std::string Reason(const absl::Status& status) { return base::GetErrorInfo(status).reason; }

  // The value of a fact that an error carries.
  static std::string Fact(const absl::Status& status, const std::string& name) {
    for (const auto& [key, value] : base::GetErrorInfo(status).facts) {
      if (key == name) return value;
    }
    return "";
  }

  std::string Area(const std::string& name) const { return absl::StrCat(options_.directory, "/", name); }

  static std::vector<std::string> Entries(const std::string& folder) {
    auto names = base::ListFolder(folder);
    EXPECT_TRUE(names.ok()) << names.status();
    return names.ok() ? *names : std::vector<std::string>();
  }

  // Nothing is being made or deleted.
  void ExpectTidy() const {
    EXPECT_TRUE(Entries(Area("staging")).empty());
    EXPECT_TRUE(Entries(Area("trash")).empty());
  }

  static std::string Bytes(const std::string& path) {
    auto bytes = base::ReadFile(path, int64_t{1} << 30);
    EXPECT_TRUE(bytes.ok()) << bytes.status();
    return bytes.ok() ? *bytes : "";
  }

  // Puts other bytes under `path`, in a file of its own: a snapshot shares files with its collection.
  static void Replace(const std::string& path, const std::string& bytes) {
    std::filesystem::remove(path);
    std::ofstream(path, std::ios::binary) << bytes;
  }

  Record RandomRecord(const std::string& id) {
    Record record;
    record.id = id;
    record.descriptor = RandomVector(random_, 8);
    record.tokens = RandomTokens(random_, 3, 4, 6);
    record.image = std::string(random_() % 9'000, static_cast<char>('a' + random_() % 26));
    record.attributes = {{"number", static_cast<int64_t>(random_() % 100)}, {"name", id}};
    return record;
  }

  void PutRandom(const std::string& id) {
    const auto result = collection_->Put({RandomRecord(id), ""});
    ASSERT_TRUE(result.ok()) << result.status();
  }

  // New ones, replaced ones and deleted ones.
  void Fill(int records) {
    for (int i = 0; i < records; ++i) PutRandom(absl::StrCat("r", i));
    for (int i = 0; i < records; i += 5) PutRandom(absl::StrCat("r", i));
    std::vector<std::string> gone;
    for (int i = 0; i < records; i += 7) gone.push_back(absl::StrCat("r", i));
    ASSERT_TRUE(collection_->Delete(gone).ok());
  }

  // Every record of a collection, with everything it has, as text.
  static std::map<std::string, std::string> Contents(const Collection& collection) {
    std::map<std::string, std::string> contents;
    std::string token;
    do {
      const auto page = collection.List(100, token, RecordView::kVectors, "");
      EXPECT_TRUE(page.ok()) << page.status();
      if (!page.ok()) return {};
      for (const Record& record : page->records) {
        const auto with_image = collection.Get(record.id, RecordView::kImage);
        EXPECT_TRUE(with_image.ok()) << with_image.status();
        std::string& text = contents[record.id];
        text = absl::StrCat(record.revision, " ", absl::ToUnixMicros(record.update_time), " ", record.attributes.size(),
                            " ", with_image.ok() ? with_image->image : "?", " ");
        const auto append = [&text](const auto& values) {
          text.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(values[0]));
        };
        append(record.descriptor);
        if (record.tokens) {
          append(record.tokens->values);
          append(record.tokens->scales);
          append(record.tokens->importance);
          append(record.tokens->centre);
        }
      }
      token = page->next_page_token;
    } while (!token.empty());
    return contents;
  }

  SnapshotInfo Take(const std::string& collection = "shop") {
    auto info = database_->CreateSnapshot(collection, nullptr);
    EXPECT_TRUE(info.ok()) << info.status();
    return info.ok() ? *info : SnapshotInfo();
  }

  // The whole stream of a snapshot.
  std::string Stream(const std::string& name) {
    auto reader = database_->ReadSnapshot(name);
    EXPECT_TRUE(reader.ok()) << reader.status();
    if (!reader.ok()) return "";
    auto bytes = (*reader)->Read(0, (*reader)->size());
    EXPECT_TRUE(bytes.ok()) << bytes.status();
    return bytes.ok() ? *bytes : "";
  }

  // Sends a stream in pieces.
  static absl::StatusOr<SnapshotInfo> Send(Database& database, absl::string_view stream, const std::string& sha256,
                                           size_t piece = 1 << 20) {
    auto writer = database.WriteSnapshot(sha256);
    if (!writer.ok()) return writer.status();
    while (!stream.empty()) {
      SIGHTLINE_RETURN_IF_ERROR((*writer)->Append(stream.substr(0, piece)));
      stream.remove_prefix(std::min(piece, stream.size()));
    }
    return (*writer)->Finish();
  }

  std::mt19937 random_{23};
};

}  // namespace sightline::index

#endif  // SIGHTLINE_TESTS_INDEX_SNAPSHOT_FIXTURE_H_
