// --device through the real program. Machines with cards and without pass it: what it needs is a card that nobody has.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "tests/e2e/run_doctor.h"
#include "tests/e2e/server_fixture.h"

namespace sightline::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// What a start says that must be refused, and that it opened nothing before.
std::string Refusal(std::vector<std::string> flags, std::vector<std::string> environment = {}) {
  const TempFolder folder;
  const auto server =
      ServerProcess::Start({.folder = folder.path(), .flags = std::move(flags), .environment = std::move(environment)});
  EXPECT_FALSE(server.ok());
  EXPECT_FALSE(std::filesystem::exists(folder.path() + "/data"));
  const std::string text(server.status().message());
  EXPECT_THAT(text, HasSubstr("ended with 2 before it served"));
  EXPECT_THAT(text, Not(HasSubstr("listening")));
  return text;
}

TEST(DeviceTest, WhatNamesNoDeviceIsRefused) {
  EXPECT_THAT(Refusal({"--device=gpu"}), HasSubstr("the device is \"gpu\". Give cpu, cuda:N or auto."));
  EXPECT_THAT(Refusal({"--device="}), HasSubstr("the device is \"\". Give cpu, cuda:N or auto."));
  EXPECT_THAT(Refusal({}, {"SIGHTLINE_DEVICE=cuda:x"}), HasSubstr("the device is \"cuda:x\". Give"));
  EXPECT_THAT(Refusal({"--device=cpu,cuda:0"}), HasSubstr("the CPU cannot stand beside cards. Give"));
  EXPECT_THAT(Refusal({"--device=cuda:1,cuda:1"}), HasSubstr("names cuda:1 twice. Give"));
}

TEST(DeviceTest, ACardThatIsNotThereIsRefused) {
  EXPECT_THAT(Refusal({"--device=cuda:63"}),
              AllOf(HasSubstr("the device cuda:63 is not there: "), HasSubstr(". Use --device cpu, or")));
  const TempFolder folder;
  const std::string config = folder.Path("config");
  ASSERT_TRUE(base::WriteFileDurably(config, "device = cuda:62,cuda:63\n").ok());
  EXPECT_THAT(Refusal({"--config=" + config}), HasSubstr("the device cuda:62 is not there: "));
}

TEST(DeviceTest, TheDoctorSaysWhatItComesTo) {
  const TempFolder folder;
  const std::string flags =
      absl::StrCat("--data_dir=", folder.path(), "/data --listen=127.0.0.1:0 --http_listen= --admin_listen= --device=");
  const Diagnosis well = RunDoctor(flags + "cpu");
  EXPECT_EQ(well.exit_code, 0) << well.text;
  EXPECT_THAT(well.text, HasSubstr("--device=cpu: models compute on cpu"));
  EXPECT_THAT(RunDoctor(flags + "auto").text, HasSubstr("--device=auto: models compute on c"));
  const Diagnosis missing = RunDoctor(flags + "cuda:63");
  EXPECT_EQ(missing.exit_code, 1) << missing.text;
  EXPECT_THAT(missing.text, HasSubstr("the device cuda:63 is not there"));
}

TEST(DeviceTest, AServerSaysWhereItsModelsCompute) {
  const TempFolder folder;
  const std::string config = folder.Path("config");
  ASSERT_TRUE(base::WriteFileDurably(config, "device = cpu\n").ok());
  const auto server =
      *ServerProcess::Start({.folder = folder.path(),
                             .flags = {"--config=" + config, absl::StrCat("--model_root=", SIGHTLINE_MODEL_ROOT),
                                       "--models=dtop_seeded", "--allow_untrained", "--warm_up=one"}});
  const auto client = *client::Client::Connect({.address = server->address()});
  EXPECT_THAT(client->GetServerInfo()->devices(), ElementsAre("cpu"));
  EXPECT_THAT(server->Page("/statusz"), HasSubstr(", on cpu, serving"));
  EXPECT_THAT(server->Log(), AllOf(HasSubstr(R"("devices":"cpu")"), Not(HasSubstr("device lost"))));
  EXPECT_EQ(server->Metric(R"(sightline_model_device_up{device="cpu",model="dtop_seeded"})"), 1);
  EXPECT_EQ(server->Metric(R"(sightline_batch_size_count{device="cpu",model="dtop_seeded"})"), 1) << "the warm-up";
  EXPECT_EQ(server->Metric(R"(sightline_device_failures_total{device="cpu"})"), 0);

  // Where models compute is decided at the start.
  ASSERT_TRUE(base::WriteFileDurably(config, "device = cuda:0\n").ok());
  server->Signal(SIGHUP);
  const std::string expected = R"("message":"setting changed, but it needs a restart","device":"cuda:0")";
  while (server->Running() && !absl::StrContains(server->Log(), expected)) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(server->Terminate(), 0) << server->Log();
}

}  // namespace
}  // namespace sightline::testing
