/* The least that a TCP proxy can do: one thread, one epoll, bytes copied from one socket to the other.
 *
 *     cc -O2 -Wall -Wextra -o forwarder forwarder.c
 *     ./forwarder LISTEN_PORT SERVER_HOST SERVER_PORT
 *
 * It is the floor that the benchmarks compare against: it looks at no byte, and its system calls for each
 * message are the fewest that a proxy in user space can make (epoll_wait, recv, send). Level-triggered; a
 * side whose peer cannot take more is not read from until it can, so memory stays at one buffer a direction.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER = 64 * 1024, EVENTS = 256 };

struct pair;

/* One socket of a pair. What is read from it, and its peer could not take yet, is held[start..end). */
struct side {
	int fd;
	unsigned events;   /* what epoll watches now */
	int ended;         /* it has sent its last byte */
	size_t start, end;
	char *held;        /* allocated at the first short write */
	struct side *peer;
	struct pair *pair;
};

struct pair {
	struct side client, server;
	int closed;
	struct pair *next_dead;
};

static int epoll;
static struct pair *dead; /* closed in this turn; freed after it, since later events may name them */

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void watch(struct side *side, unsigned events)
{
	struct epoll_event event = {.events = events, .data.ptr = side};
	if (side->events == events)
		return;
	side->events = events;
	if (epoll_ctl(epoll, EPOLL_CTL_MOD, side->fd, &event) < 0)
		fail("epoll_ctl");
}

static void add(struct side *side, unsigned events)
{
	struct epoll_event event = {.events = events, .data.ptr = side};
	side->events = events;
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, side->fd, &event) < 0)
		fail("epoll_ctl");
}

static void close_pair(struct pair *pair)
{
	if (pair->closed)
		return;
	pair->closed = 1;
	close(pair->client.fd);
	close(pair->server.fd);
	pair->next_dead = dead;
	dead = pair;
}

/* Watch a side for what can go on: reading unless its bytes are stuck, writing if its peer's are. */
static void settle(struct side *side)
{
	unsigned events = 0;
	if (side->start == side->end && !side->ended)
		events |= EPOLLIN;
	if (side->peer->start != side->peer->end)
		events |= EPOLLOUT;
	watch(side, events);
}

static void on_readable(struct side *from)
{
	static char shared[BUFFER]; /* only what could not be sent is copied out of it */
	struct side *to = from->peer;
	ssize_t sent, got = recv(from->fd, shared, sizeof shared, 0);

	if (got < 0) {
		if (errno != EAGAIN && errno != EINTR)
			close_pair(from->pair);
		return;
	}
	if (got == 0) {
		from->ended = 1;
		shutdown(to->fd, SHUT_WR);
		if (to->ended)
			close_pair(from->pair);
		else
			settle(from);
		return;
	}
	sent = send(to->fd, shared, (size_t)got, MSG_NOSIGNAL);
	if (sent == got)
		return;
	if (sent < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != ENOTCONN) {
			close_pair(from->pair);
			return;
		}
		sent = 0;
	}
	if (!from->held && !(from->held = malloc(BUFFER)))
		fail("malloc");
	memcpy(from->held, shared + sent, (size_t)(got - sent));
	from->start = 0;
	from->end = (size_t)(got - sent);
	settle(from);
	settle(to);
}

static void on_writable(struct side *to)
{
	struct side *from = to->peer;
	ssize_t sent = send(to->fd, from->held + from->start, from->end - from->start, MSG_NOSIGNAL);

	if (sent < 0) {
		if (errno != EAGAIN && errno != EINTR)
			close_pair(to->pair);
		return;
	}
	from->start += (size_t)sent;
	settle(from);
	settle(to);
}

static void on_accept(int listener, const struct sockaddr_in *server)
{
	int one = 1, client = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct pair *pair;

	if (client < 0)
		return;
	pair = calloc(1, sizeof *pair);
	if (!pair)
		fail("calloc");
	pair->client = (struct side){.fd = client, .peer = &pair->server, .pair = pair};
	pair->server = (struct side){.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
				     .peer = &pair->client, .pair = pair};
	if (pair->server.fd < 0)
		fail("socket");
	setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	setsockopt(pair->server.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (connect(pair->server.fd, (const struct sockaddr *)server, sizeof *server) < 0 &&
	    errno != EINPROGRESS) {
		perror("connect");
		close_pair(pair);
		return;
	}
	add(&pair->client, EPOLLIN);
	add(&pair->server, EPOLLIN);
}

int main(int argc, char **argv)
{
	struct sockaddr_in server = {.sin_family = AF_INET};
	struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct epoll_event events[EVENTS], accepting = {.events = EPOLLIN, .data.ptr = NULL};
	int one = 1, listener;

	if (argc != 4 || inet_pton(AF_INET, argv[2], &server.sin_addr) != 1) {
		fprintf(stderr, "usage: %s LISTEN_PORT SERVER_IPV4 SERVER_PORT\n", argv[0]);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	local.sin_port = htons((uint16_t)atoi(argv[1]));
	server.sin_port = htons((uint16_t)atoi(argv[3]));
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
	    bind(listener, (struct sockaddr *)&local, sizeof local) < 0 || listen(listener, 1024) < 0)
		fail("listen");
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &accepting) < 0)
		fail("epoll");

	for (;;) {
		int count = epoll_wait(epoll, events, EVENTS, -1);
		if (count < 0 && errno != EINTR)
			fail("epoll_wait");
		for (int i = 0; i < count; i++) {
			struct side *side = events[i].data.ptr;
			if (!side) {
				on_accept(listener, &server);
				continue;
			}
			if (side->pair->closed)
				continue;
			if (side->peer->start != side->peer->end && (events[i].events & (EPOLLOUT | EPOLLERR)))
				on_writable(side);
			if (!side->pair->closed && (side->events & EPOLLIN) &&
			    (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
				on_readable(side);
			else if (!side->pair->closed && (events[i].events & (EPOLLHUP | EPOLLERR)))
				close_pair(side->pair);
		}
		while (dead) {
			struct pair *pair = dead;
			dead = pair->next_dead;
			free(pair->client.held);
			free(pair->server.held);
			free(pair);
		}
	}
}
