// The audit log: what it says, that it can be rotated, and that a disk that takes nothing stops no call.
#include "server/security/audit_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/status.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_folder.h"

namespace sightline::server {
namespace {

using ::testing::HasSubstr;

class AuditLogTest : public ::testing::Test {
 protected:
  std::vector<nlohmann::json> Lines(const std::string& path) {
    std::vector<nlohmann::json> lines;
    for (const absl::string_view line : absl::StrSplit(*base::ReadFile(path, 1 << 20), '\n', absl::SkipEmpty())) {
      lines.push_back(nlohmann::json::parse(line.begin(), line.end()));
    }
    return lines;
  }
  void End(AuditLog& log, Access access, const absl::Status& status, const std::string& collection = "shop",
           std::optional<int64_t> items = std::nullopt) {
    Request request(clock_, clock_.Steady());
    *request.mutable_call() = {.method = "IndexService/Index",
                               .access = access,
                               .collection = collection,
                               .peer = "ipv4:127.0.0.1:4",
                               .caller = "indexer",
                               .request_id = "r1"};
    if (items) request.SetItems(*items);
    clock_.Advance(absl::Milliseconds(12));
    log.Ended(request, status);
  }

  const sightline::testing::TempFolder folder_;
  const std::string path_ = folder_.Path("audit.log");
  sightline::testing::FakeClock clock_;
  Metrics metrics_;
};

TEST_F(AuditLogTest, HasALineForWhatChangesOrIsRefusedAndNoOther) {
  {
    const auto log = *AuditLog::Open(path_, metrics_, clock_);
    End(*log, Access::kRead, absl::OkStatus());
    End(*log, Access::kRead, base::NotFound("IMAGE_NOT_FOUND", "no"));
    End(*log, Access::kWrite, absl::OkStatus());
    End(*log, Access::kAdmin, base::NotFound("COLLECTION_NOT_FOUND", "no"));
    End(*log, Access::kRead, base::Error(absl::StatusCode::kPermissionDenied, "SCOPE_TOO_SMALL", "no"));
  }
  const auto lines = Lines(path_);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0], nlohmann::json::parse(R"({"time": "2023-11-14T22:13:20.036Z", "caller": "indexer",
      "peer": "ipv4:127.0.0.1:4", "method": "IndexService/Index", "collection": "shop", "request_id": "r1", "code": "OK",
      "milliseconds": 12.0})"));
  EXPECT_EQ(lines[1]["code"], "NOT_FOUND");
  EXPECT_EQ(lines[1]["reason"], "COLLECTION_NOT_FOUND");
  EXPECT_EQ(lines[2]["reason"], "SCOPE_TOO_SMALL");
  EXPECT_THAT(metrics_.Text(), HasSubstr("sightline_audit_lines_total{result=\"written\"} 3"));
}

TEST_F(AuditLogTest, SaysHowManyImagesWhereThatIsKnown) {
  {
    const auto log = *AuditLog::Open(path_, metrics_, clock_);
    End(*log, Access::kWrite, absl::OkStatus(), "shop", 1234);
    End(*log, Access::kWrite, absl::OkStatus(), "shop", 0);
    End(*log, Access::kAdmin, absl::OkStatus());
  }
  const auto lines = Lines(path_);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0]["items"], 1234);
  EXPECT_EQ(lines[1]["items"], 0);
  EXPECT_FALSE(lines[2].contains("items"));
}

// An item of a stream is a request within that of its message, which is the one that is written down.
TEST_F(AuditLogTest, TheItemsOfAnInnerRequestAreTheOuterOnes) {
  const auto outer = std::make_shared<Request>(clock_, clock_.Steady());
  Request::Within(outer, clock_.Steady())->SetItems(5);
  EXPECT_EQ(outer->items(), 5);
}

TEST_F(AuditLogTest, WhatACallerSendsForgesNoLineAndFillsNoDisk) {
  {
    const auto log = *AuditLog::Open(path_, metrics_, clock_);
    End(*log, Access::kWrite, absl::OkStatus(), "a\"}\n{\"caller\":\"admin\xff\xfe");
    End(*log, Access::kWrite, absl::OkStatus(), std::string(1 << 20, 'x'));
  }
  const auto lines = Lines(path_);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0]["caller"], "indexer");
  EXPECT_LE(lines[1]["collection"].get<std::string>().size(), 256u);
}

TEST_F(AuditLogTest, IsRotated) {
  const std::string old = folder_.Path("audit.log.1");
  {
    const auto log = *AuditLog::Open(path_, metrics_, clock_);
    End(*log, Access::kWrite, absl::OkStatus(), "before");
    for (int i = 0; i < 2000 && std::filesystem::file_size(path_) == 0; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    std::filesystem::rename(path_, old);
    log->Reopen();
    End(*log, Access::kWrite, absl::OkStatus(), "after");
  }
  ASSERT_EQ(Lines(old).size(), 1u);
  ASSERT_EQ(Lines(path_).size(), 1u);
  EXPECT_EQ(Lines(path_)[0]["collection"], "after");
  const auto mode = std::filesystem::status(path_).permissions();
  EXPECT_EQ(mode & std::filesystem::perms::others_all, std::filesystem::perms::none);
}

TEST_F(AuditLogTest, OpensFilesOnly) {
  for (const std::string& path : {folder_.path(), std::string("/dev/null"), folder_.Path("none/audit.log")}) {
    const auto log = AuditLog::Open(path, metrics_, clock_);
    EXPECT_THAT(std::string(log.status().message()), HasSubstr(absl::StrCat("cannot append to ", path))) << path;
  }
}

TEST_F(AuditLogTest, WhatDoesNotFitIsDroppedAndCounted) {
  int64_t written = 0, dropped = 0;
  {
    const auto writer = *LineWriter::Open({.path = path_,
                                           .max_waiting_bytes = 64,
                                           .on_loss = [](int64_t lost) { return absl::StrCat("lost ", lost); },
                                           .count =
                                               [&](int64_t w, int64_t d) {
                                                 written += w;
                                                 dropped += d;
                                               }});
    // Longer than all that may wait: dropped whatever the thread does meanwhile.
    for (int i = 0; i < 3; ++i) writer->Write(std::string(100, 'x'));
    writer->Write("short");
  }
  EXPECT_EQ(written, 1);
  EXPECT_EQ(dropped, 3);
  int64_t told = 0;
  for (const absl::string_view line : absl::StrSplit(*base::ReadFile(path_, 1 << 20), '\n', absl::SkipEmpty())) {
    if (line != "short") told += line.back() - '0';
  }
  EXPECT_EQ(told, 3);
}

}  // namespace
}  // namespace sightline::server
