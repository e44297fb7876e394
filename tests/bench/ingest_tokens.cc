#include "tests/bench/ingest_tokens.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "server/app.h"
#include "sightline/v1/collection_service.grpc.pb.h"
#include "sightline/v1/index_service.grpc.pb.h"
#include "tests/bench/report.h"

namespace sightline::bench {
namespace {

constexpr int kDim = 1536;
constexpr int kGrid = 14;
constexpr int kTokenDim = 128;
constexpr char kSpace[] = "bench";

void Require(bool ok, const std::string& message) {
  if (ok) return;
  std::fprintf(stderr, "ingest: %s\n", message.c_str());
  std::exit(1);
}

// Different values in every request, made before the clock starts.
std::vector<v1::IndexStreamRequest> MakeRequests(int count) {
  std::mt19937 random(1);
  std::vector<v1::IndexStreamRequest> requests(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) {
    v1::IndexRequest& request = *requests[static_cast<size_t>(i)].mutable_request();
    request.set_collection("bench");
    request.set_request_id(std::to_string(i));
    v1::ImageItem& item = *request.mutable_item();
    item.set_id("image-" + std::to_string(i));
    v1::EmbeddingVector& vector = *item.mutable_global_descriptor();
    vector.set_embedding_space(kSpace);
    for (int j = 0; j < kDim; ++j) vector.add_values(static_cast<float>(random() % 2001) - 1000);
    v1::PatchTokens& tokens = *item.mutable_tokens();
    tokens.set_token_space(kSpace);
    tokens.set_height(kGrid);
    tokens.set_width(kGrid);
    tokens.set_dim(kTokenDim);
    std::string& values = *tokens.mutable_values();
    values.resize(kGrid * kGrid * kTokenDim);
    for (char& value : values) value = static_cast<char>(random());
    for (int cell = 0; cell < kGrid * kGrid; ++cell) {
      tokens.add_scales(0.01F);
      tokens.add_importance(1.0F / (kGrid * kGrid));
    }
    for (int j = 0; j < kTokenDim; ++j) tokens.add_centre(0.1F);
  }
  return requests;
}

void Create(const std::shared_ptr<grpc::Channel>& channel) {
  v1::CreateCollectionRequest create;
  create.set_name("bench");
  create.set_embedding_space(kSpace);
  create.set_descriptor_dim(kDim);
  grpc::ClientContext context;
  v1::CreateCollectionResponse created;
  const grpc::Status status =
      v1::CollectionService::NewStub(channel)->CreateCollection(&context, create, &created);
  Require(status.ok(), status.error_message());
}

}  // namespace

void MeasureTokens(bool quick) {
  std::string folder = (std::filesystem::temp_directory_path() / "sightline-bench-XXXXXX").string();
  Require(mkdtemp(folder.data()) != nullptr, "cannot make a temporary folder");
  server::ServerOptions options;
  options.data_dir = folder;
  options.listen = "127.0.0.1:0";
  {
    const auto app = server::App::Start(options, nullptr, {});
    Require(app.ok(), std::string(app.status().message()));
    const auto channel = grpc::CreateChannel("127.0.0.1:" + std::to_string((*app)->grpc_port()),
                                             grpc::InsecureChannelCredentials());
    Create(channel);
    const std::vector<v1::IndexStreamRequest> requests = MakeRequests(quick ? 2'000 : 20'000);
    // Two streams: one holds no more in hand than the server allows a stream.
    constexpr size_t kStreams = 2;
    const auto stub = v1::IndexService::NewStub(channel);
    const auto begin = std::chrono::steady_clock::now();
    std::vector<std::thread> streams;
    for (size_t s = 0; s < kStreams; ++s) {
      streams.emplace_back([&, s] {
        grpc::ClientContext context;
        const auto stream = stub->IndexStream(&context);
        std::thread writer([&] {
          for (size_t i = s; i < requests.size(); i += kStreams) Require(stream->Write(requests[i]), "a write failed");
          stream->WritesDone();
        });
        v1::IndexStreamResponse reply;
        size_t answered = 0;
        for (; stream->Read(&reply); ++answered) Require(reply.status().code() == 0, reply.status().message());
        writer.join();
        const grpc::Status status = stream->Finish();
        Require(status.ok(), status.error_message());
        Require(answered == (requests.size() - s + kStreams - 1) / kStreams, "replies are missing");
      });
    }
    for (std::thread& stream : streams) stream.join();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    Print({.bench = "ingest",
           .name = "tokens: durable records with 14x14x128 int8 tokens through IndexStream",
           .value = static_cast<double>(requests.size()) / seconds,
           .unit = "records/s"});
    (*app)->Stop();
  }
  std::filesystem::remove_all(folder);
}

}  // namespace sightline::bench
