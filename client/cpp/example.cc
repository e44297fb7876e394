// Finds the images that show what shoe.jpg shows: sightline-client-example [HOST:PORT]
#include <cstdio>

#include "client/cpp/client.h"

int main(int argc, char** argv) {
  using sightline::client::Client, sightline::client::Query;
  const auto client = Client::Connect({.address = argc > 1 ? argv[1] : "127.0.0.1:50051"});
  if (!client.ok()) return 1;
  const auto answer =
      (*client)->Search({.collection = "shop", .query = Query::ImageFile("shoe.jpg"), .top_k = 5, .exact = true});
  if (!answer.ok()) return std::fprintf(stderr, "%s\n", std::string(answer.status().message()).c_str()), 1;
  for (const auto& result : answer->results())
    std::printf("%d  %.3f  %s\n", result.rank(), result.score(), result.id().c_str());
}
